// Outlier ejection: a table of samples, every order of the workers, and random histories.

import fc from 'fast-check'
import { assert, suite } from '../../../../test/suite.ts'
import { defaultOutliers } from '../../src/config/pool/outlier-options.ts'
import type { OutlierSettings } from '../../src/settings.ts'
import { isPanic, judgeOutliers, type OutlierRecord, type OutlierSample, OutlierWatch } from '../../src/supervisor/watch/outliers.ts'

const test = suite('outliers')
const options: OutlierSettings = { ...defaultOutliers, minRequests: 10 }
const none: ReadonlyMap<number, OutlierRecord> = new Map()

const healthy = (id: number, changes: Partial<OutlierSample> = {}): OutlierSample => ({
  id,
  requests: 100,
  failed: 0,
  latencyMs: 20,
  ...changes,
})
const ejectedOf = (samples: OutlierSample[], changes: Partial<OutlierSettings> = {}, records = none, nowMs = 0) =>
  judgeOutliers(samples, records, { ...options, ...changes }, nowMs).ejected.map(({ id }) => id)

const table: [promise: string, samples: OutlierSample[], changes: Partial<OutlierSettings>, ejected: number[]][] = [
  ['no worker is ejected when all are healthy', [healthy(1), healthy(2), healthy(3)], {}, []],
  ['a worker that fails while the others do not is ejected', [healthy(1), healthy(2, { failed: 20 }), healthy(3)], {}, [2]],
  ['a worker below errorShare is not ejected', [healthy(1), healthy(2, { failed: 19 }), healthy(3)], {}, []],
  ['one of two workers is compared with the other', [healthy(1), healthy(2, { failed: 20 })], {}, [2]],
  ['a single worker is never ejected', [healthy(1, { failed: 100 })], {}, []],
  [
    'no worker is ejected when all fail alike',
    [healthy(1, { failed: 50 }), healthy(2, { failed: 55 }), healthy(3, { failed: 60 })],
    {},
    [],
  ],
  [
    'a worker that fails much more than the others is ejected, also if they fail too',
    [healthy(1, { failed: 30 }), healthy(2, { failed: 55 }), healthy(3, { failed: 30 })],
    {},
    [2],
  ],
  ['a worker with too few requests is not ejected', [healthy(1), healthy(2, { requests: 9, failed: 9 }), healthy(3)], {}, []],
  ['workers with too few requests are no measure for others', [healthy(1, { requests: 9 }), healthy(2, { failed: 90 })], {}, []],
  ['a slow worker is ejected', [healthy(1), healthy(2, { latencyMs: 100 }), healthy(3)], {}, [2]],
  [
    'a worker below latencyFloorMs is not ejected',
    [healthy(1, { latencyMs: 1 }), healthy(2, { latencyMs: 99 }), healthy(3, { latencyMs: 1 })],
    {},
    [],
  ],
  [
    'no worker is ejected for a latency that all have',
    [healthy(1, { latencyMs: 900 }), healthy(2, { latencyMs: 2000 }), healthy(3, { latencyMs: 800 })],
    {},
    [],
  ],
  ['a slow worker is ejected, also if the others take no time', [healthy(1, { latencyMs: 0 }), healthy(2, { latencyMs: 100 })], {}, [2]],
  [
    'latency has no effect with an infinite latencyFactor',
    [healthy(1), healthy(2, { latencyMs: 1e6 })],
    { latencyFactor: Number.POSITIVE_INFINITY },
    [],
  ],
  [
    'only the worst worker is ejected if one may be',
    [healthy(1, { failed: 50 }), healthy(2, { failed: 60 }), healthy(3), healthy(4), healthy(5)],
    {},
    [2],
  ],
  [
    'a higher maxEjectedShare ejects more workers',
    [healthy(1, { failed: 50 }), healthy(2, { failed: 60 }), healthy(3), healthy(4), healthy(5)],
    { maxEjectedShare: 0.4 },
    [2, 1],
  ],
  ['never all workers are ejected', [healthy(1, { failed: 90 }), healthy(2, { latencyMs: 5000 })], { maxEjectedShare: 1 }, [2]],
  [
    'one worker may be ejected whatever maxEjectedShare is',
    [healthy(1), healthy(2, { failed: 60 }), healthy(3)],
    { maxEjectedShare: 0.01 },
    [2],
  ],
  ['more failures than requests count as all requests', [healthy(1, { failed: 100 }), healthy(2, { failed: 1000 })], {}, []],
]
for (const [promise, samples, changes, ejected] of table) test(promise, () => assert.equal(ejectedOf(samples, changes), ejected))

test('the order of the workers has no effect', () => {
  const samples = [healthy(1, { failed: 50 }), healthy(2, { failed: 50 }), healthy(3, { latencyMs: 300 }), healthy(4)]
  for (const order of permutations(samples)) assert.equal(ejectedOf(order, { maxEjectedShare: 0.5 }), [3, 1])
})

test('a reason names the value and that of the others', () => {
  const reasonOf = (sample: OutlierSample) => judgeOutliers([healthy(1), sample], none, options, 0).ejected[0]?.reason
  assert.is(reasonOf(healthy(2, { failed: 47 })), "47 % of its requests failed, of the others' 0 %")
  assert.is(reasonOf(healthy(2, { latencyMs: 412.4 })), 'it takes 412 ms for a request, the others 20 ms')
})

test('an ejected worker is neither judged nor a measure for others, and counts towards maxEjectedShare', () => {
  const records = new Map([[2, { times: 1, untilMs: 10 }]])
  const samples = [healthy(1), healthy(2, { failed: 100 }), healthy(3, { failed: 60 })]
  assert.equal(ejectedOf(samples, {}, records, 9), [])
  assert.equal(ejectedOf(samples, { maxEjectedShare: 0.7 }, records, 9), [3])
  assert.equal(ejectedOf(samples, {}, records, 10), [2], 'its ejection is over')
})

test('each ejection is longer, up to maxEjectionMs, and healthy intervals make the next one shorter', () => {
  let records = none
  let nowMs = 0
  const judge = (failed: number) => {
    const judgement = judgeOutliers([healthy(1), healthy(2, { failed })], records, options, nowMs)
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
  assert.is(records.size, 0, 'healthy workers have no record')
})

test('it is a panic when too few workers are left', () => {
  assert.equal([isPanic(1, 2, options), isPanic(1, 3, options), isPanic(0, 1, options)], [false, true, true])
  assert.is(isPanic(0, 1, { panicThreshold: 0 }), false)
})

function watched(id: number, begun = 0, failed = 0) {
  return { id, load: { begun, failed, latencyMs: 20 } }
}

test('a watch judges the requests between two polls, once an interval', () => {
  const watch = new OutlierWatch(options)
  assert.equal(watch.poll([watched(1, 1000, 0), watched(2, 1000, 900)], 0), [], 'earlier requests do not count')
  assert.equal(watch.poll([watched(1, 1100, 0), watched(2, 1100, 1000)], 9_999), [], 'the interval is not over')
  assert.equal(
    watch.poll([watched(1, 1100, 0), watched(2, 1100, 1000)], 10_000).map(({ id, forMs }) => [id, forMs]),
    [[2, 30_000]],
  )
  assert.equal([watch.isEjected(1), watch.isEjected(2)], [false, true])
  watch.poll([watched(1, 1100, 0), watched(2, 1100, 1000)], 39_999)
  assert.ok(watch.isEjected(2))
  watch.poll([watched(1, 1100, 0), watched(2, 1100, 1000)], 40_000)
  assert.not.ok(watch.isEjected(2), 'its ejection is over')
})

test('counts that wrap around are subtracted correctly', () => {
  const watch = new OutlierWatch(options)
  watch.poll([watched(1, 2 ** 32 - 50, 2 ** 32 - 20), watched(2)], 0)
  assert.equal(
    watch.poll([watched(1, 50, 20), watched(2, 100)], 10_000).map(({ reason }) => reason),
    ["40 % of its requests failed, of the others' 0 %"],
  )
})

test('in a panic no worker counts as ejected, and the ejection goes on afterwards', () => {
  const watch = new OutlierWatch(options)
  const poll = (nowMs: number, desired: number) => watch.poll([watched(1, nowMs), watched(2, nowMs, nowMs)], nowMs, desired)
  poll(0, 2)
  assert.equal(poll(10_000, 3).length, 1)
  assert.not.ok(watch.isEjected(2), 'one of three desired workers would be left')
  poll(11_000, 2)
  assert.ok(watch.isEjected(2))
})

test('a worker that exits is forgotten, and a new one is judged after its first interval', () => {
  const watch = new OutlierWatch(options)
  watch.poll([watched(1), watched(2)], 0)
  watch.poll([watched(1, 100), watched(2, 100, 100)], 10_000)
  assert.ok(watch.isEjected(2))
  assert.equal(watch.poll([watched(1, 200), watched(3, 100, 100)], 20_000), [])
  assert.not.ok(watch.isEjected(2))
})

test('never too many, never all, and never longer than maxEjectionMs', () => {
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
          assert.ok(out.length < size, 'one worker serves')
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
