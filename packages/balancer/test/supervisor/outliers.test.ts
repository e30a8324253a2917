// Which workers are ejected, and for how long: a table, every order of the workers, and random histories.

import fc from 'fast-check'
import { assert, suite } from '../../../../test/suite.ts'
import { defaultOutliers } from '../../src/config/pool/outlier-options.ts'
import type { OutlierSettings } from '../../src/settings.ts'
import { isPanic, judgeOutliers, type OutlierRecord, type OutlierSample, OutlierWatch } from '../../src/supervisor/outliers.ts'

const test = suite('outliers')
const options: OutlierSettings = { ...defaultOutliers, minRequests: 10 }
const none: ReadonlyMap<number, OutlierRecord> = new Map()

const well = (id: number, changes: Partial<OutlierSample> = {}): OutlierSample => ({
  id,
  requests: 100,
  failed: 0,
  latencyMs: 20,
  ...changes,
})
const ejectedOf = (samples: OutlierSample[], changes: Partial<OutlierSettings> = {}, records = none, nowMs = 0) =>
  judgeOutliers(samples, records, { ...options, ...changes }, nowMs).ejected.map(({ id }) => id)

const table: [promise: string, samples: OutlierSample[], changes: Partial<OutlierSettings>, ejected: number[]][] = [
  ['nobody, when all are well', [well(1), well(2), well(3)], {}, []],
  ['who fails while the others do not', [well(1), well(2, { failed: 20 }), well(3)], {}, [2]],
  ['nobody for less than the share', [well(1), well(2, { failed: 19 }), well(3)], {}, []],
  ['one of two, for the other is the measure', [well(1), well(2, { failed: 20 })], {}, [2]],
  ['nobody of one, for there is no measure', [well(1, { failed: 100 })], {}, []],
  ['nobody when all fail alike', [well(1, { failed: 50 }), well(2, { failed: 55 }), well(3, { failed: 60 })], {}, []],
  [
    'who fails much more than the others, who fail too',
    [well(1, { failed: 30 }), well(2, { failed: 55 }), well(3, { failed: 30 })],
    {},
    [2],
  ],
  ['nobody with too few requests', [well(1), well(2, { requests: 9, failed: 9 }), well(3)], {}, []],
  ['nobody by comparison with those who have too few', [well(1, { requests: 9 }), well(2, { failed: 90 })], {}, []],
  ['who is slow', [well(1), well(2, { latencyMs: 100 }), well(3)], {}, [2]],
  ['nobody below the floor', [well(1, { latencyMs: 1 }), well(2, { latencyMs: 99 }), well(3, { latencyMs: 1 })], {}, []],
  ['nobody by a latency that all have', [well(1, { latencyMs: 900 }), well(2, { latencyMs: 2000 }), well(3, { latencyMs: 800 })], {}, []],
  ['who is slow beside those who take no time', [well(1, { latencyMs: 0 }), well(2, { latencyMs: 100 })], {}, [2]],
  ['nobody by latency when that does not count', [well(1), well(2, { latencyMs: 1e6 })], { latencyFactor: Number.POSITIVE_INFINITY }, []],
  ['the worst only, when one may be ejected', [well(1, { failed: 50 }), well(2, { failed: 60 }), well(3), well(4), well(5)], {}, [2]],
  [
    'more, when more may be',
    [well(1, { failed: 50 }), well(2, { failed: 60 }), well(3), well(4), well(5)],
    { maxEjectedShare: 0.4 },
    [2, 1],
  ],
  ['never all', [well(1, { failed: 90 }), well(2, { latencyMs: 5000 })], { maxEjectedShare: 1 }, [2]],
  ['one in any case', [well(1), well(2, { failed: 60 }), well(3)], { maxEjectedShare: 0.01 }, [2]],
  ['more failed than begun is no more than all', [well(1, { failed: 100 }), well(2, { failed: 1000 })], {}, []],
]
for (const [promise, samples, changes, ejected] of table)
  test(`ejected is ${promise}`, () => assert.equal(ejectedOf(samples, changes), ejected))

test('the order of the workers means nothing', () => {
  const samples = [well(1, { failed: 50 }), well(2, { failed: 50 }), well(3, { latencyMs: 300 }), well(4)]
  for (const order of permutations(samples)) assert.equal(ejectedOf(order, { maxEjectedShare: 0.5 }), [3, 1])
})

test('a reason is a sentence', () => {
  const reasonOf = (sample: OutlierSample) => judgeOutliers([well(1), sample], none, options, 0).ejected[0]?.reason
  assert.is(reasonOf(well(2, { failed: 47 })), "47 % of its requests failed, of the others' 0 %")
  assert.is(reasonOf(well(2, { latencyMs: 412.4 })), 'it takes 412 ms for a request, the others 20 ms')
})

test('who is ejected is not judged, nor is anybody by it, and it counts among those that may be ejected', () => {
  const records = new Map([[2, { times: 1, untilMs: 10 }]])
  const samples = [well(1), well(2, { failed: 100 }), well(3, { failed: 60 })]
  assert.equal(ejectedOf(samples, {}, records, 9), [])
  assert.equal(ejectedOf(samples, { maxEjectedShare: 0.7 }, records, 9), [3])
  assert.equal(ejectedOf(samples, {}, records, 10), [2], 'its time is up')
})

test('each ejection is longer, up to a bound, and intervals that go well make the next one shorter', () => {
  let records = none
  let nowMs = 0
  const judge = (failed: number) => {
    const judgement = judgeOutliers([well(1), well(2, { failed })], records, options, nowMs)
    records = judgement.records
    return judgement.ejected[0]?.forMs
  }
  const again = () => {
    const forMs = judge(50) ?? 0
    nowMs += forMs
    return forMs
  }
  assert.equal([again(), again(), again()], [30_000, 60_000, 90_000])
  for (let round = 0; round < 20; round++) again()
  assert.is(again(), 300_000)
  for (let round = 0; round < 22; round++) judge(0)
  assert.is(again(), 90_000)
  for (let round = 0; round < 5; round++) judge(0)
  assert.is(records.size, 0, 'what is well is forgotten')
})

test('panic is when too few are left', () => {
  assert.equal([isPanic(1, 2, options), isPanic(1, 3, options), isPanic(0, 1, options)], [false, true, true])
  assert.is(isPanic(0, 1, { panicThreshold: 0 }), false)
})

function watched(id: number, begun = 0, failed = 0) {
  return { id, load: { begun, failed, latencyMs: 20 } }
}

test('a watch judges by what was done between two looks, once an interval', () => {
  const watch = new OutlierWatch(options)
  assert.equal(watch.poll([watched(1, 1000, 0), watched(2, 1000, 900)], 0), [], 'what was before is not known')
  assert.equal(watch.poll([watched(1, 1100, 0), watched(2, 1100, 1000)], 9_999), [], 'not yet')
  assert.equal(
    watch.poll([watched(1, 1100, 0), watched(2, 1100, 1000)], 10_000).map(({ id, forMs }) => [id, forMs]),
    [[2, 30_000]],
  )
  assert.equal([watch.isEjected(1), watch.isEjected(2)], [false, true])
  watch.poll([watched(1, 1100, 0), watched(2, 1100, 1000)], 39_999)
  assert.ok(watch.isEjected(2))
  watch.poll([watched(1, 1100, 0), watched(2, 1100, 1000)], 40_000)
  assert.not.ok(watch.isEjected(2), 'back again')
})

test('counts that begin again from 0 tell what was done', () => {
  const watch = new OutlierWatch(options)
  watch.poll([watched(1, 2 ** 32 - 50, 2 ** 32 - 20), watched(2)], 0)
  assert.equal(
    watch.poll([watched(1, 50, 20), watched(2, 100)], 10_000).map(({ reason }) => reason),
    ["40 % of its requests failed, of the others' 0 %"],
  )
})

test('in panic nobody counts as ejected, and when others are there again the ejection goes on', () => {
  const watch = new OutlierWatch(options)
  const look = (nowMs: number, wanted: number) => watch.poll([watched(1, nowMs), watched(2, nowMs, nowMs)], nowMs, wanted)
  look(0, 2)
  assert.equal(look(10_000, 3).length, 1)
  assert.not.ok(watch.isEjected(2), 'of three that are wanted one would be left')
  look(11_000, 2)
  assert.ok(watch.isEjected(2))
})

test('a worker that has gone is forgotten, and a new one is not judged before it has been there for an interval', () => {
  const watch = new OutlierWatch(options)
  watch.poll([watched(1), watched(2)], 0)
  watch.poll([watched(1, 100), watched(2, 100, 100)], 10_000)
  assert.ok(watch.isEjected(2))
  assert.equal(watch.poll([watched(1, 200), watched(3, 100, 100)], 20_000), [])
  assert.not.ok(watch.isEjected(2))
})

test('never more than may be, never all, and nobody for longer than the bound, whatever comes', () => {
  const sample = fc.record({ begun: fc.nat(1000), failed: fc.nat(1000), latencyMs: fc.double({ min: 0, max: 1e5, noNaN: true }) })
  fc.assert(
    fc.property(
      fc.array(fc.array(sample, { minLength: 6, maxLength: 6 }), { maxLength: 30 }),
      fc.integer({ min: 1, max: 6 }),
      fc.double({ min: 0.01, max: 1, noNaN: true }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (rounds, size, maxEjectedShare, panicThreshold) => {
        const watch = new OutlierWatch({ ...options, maxEjectedShare, panicThreshold })
        const totals = Array.from({ length: size }, () => ({ begun: 0, failed: 0 }))
        rounds.forEach((round, index) => {
          const nowMs = index * 10_000
          const workers = totals.map((total, id) => {
            const { begun, failed, latencyMs } = round[id] as { begun: number; failed: number; latencyMs: number }
            total.begun += begun
            total.failed += failed
            return { id, load: { ...total, latencyMs } }
          })
          for (const { forMs } of watch.poll(workers, nowMs)) assert.ok(forMs > 0 && forMs <= options.maxEjectionMs)
          const out = workers.filter(({ id }) => watch.isEjected(id))
          assert.ok(out.length < size, 'somebody serves')
          assert.ok(out.length <= Math.max(1, Math.floor(size * maxEjectedShare)))
          assert.ok(out.length === 0 || size - out.length >= size * panicThreshold)
        })
      },
    ),
  )
})

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length === 0) return [[]]
  return items.flatMap((item, index) => permutations([...items.slice(0, index), ...items.slice(index + 1)]).map((rest) => [item, ...rest]))
}

test.run()
