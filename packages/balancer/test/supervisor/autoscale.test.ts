// How many workers a pool should have: a table, a pool that is simulated, and random loads.

import fc from 'fast-check'
import { assert, suite } from '../../../../test/suite.ts'
import { seededRandom } from '../../../../test/support/random.ts'
import type { AutoscaleSettings } from '../../src/settings.ts'
import { Autoscaler, autoscale, type LoadSample, type ScaledWorker } from '../../src/supervisor/autoscale.ts'

const test = suite('autoscale', { timeoutMs: 30_000 })
const options: AutoscaleSettings = { min: 1, max: 10, target: 0.7, upAfterMs: 5000, downAfterMs: 60_000 }

/** A sample each second up to `nowMs` = 100,000; `load` by how long ago. */
const history = (workers: number, load: (agoMs: number) => number): LoadSample[] =>
  Array.from({ length: 100 }, (_, index) => {
    const atMs = (index + 1) * 1000
    return { atMs, load: load(100_000 - atMs), workers }
  })
const wantedOf = (workers: number, load: (agoMs: number) => number, changes: Partial<AutoscaleSettings> = {}) =>
  autoscale({ ...options, ...changes }, history(workers, load), workers, 100_000)

const table: [promise: string, workers: number, load: (agoMs: number) => number, wanted: number][] = [
  ['load at the target changes nothing', 4, () => 2.8, 4],
  ['nor does a little more', 4, () => 3, 4],
  ['nor a little less', 4, () => 2, 4],
  ['more load brings as many as it takes', 4, () => 3.6, 6],
  ['but at most twice as many', 2, () => 8, 4],
  ['loops that are used fully bring more', 4, () => 4, 6],
  ['a second of load brings nobody', 4, (agoMs) => (agoMs < 1000 ? 4 : 2.4), 4],
  ['five seconds do', 4, (agoMs) => (agoMs < 5000 ? 4 : 2.4), 6],
  ['no load for a minute takes one away', 4, () => 0, 3],
  ['no load for less takes nobody', 4, (agoMs) => (agoMs < 55_000 ? 0 : 2.4), 4],
  ['load that comes again and again keeps them', 4, (agoMs) => (Math.floor(agoMs / 5000) % 6 === 0 ? 2.8 : 0), 4],
  ['a moment of load within the minute keeps nobody', 4, (agoMs) => (agoMs === 30_000 ? 4 : 0.4), 3],
  ['never below the fewest', 1, () => 0, 1],
  ['never above the most', 10, () => 10, 10],
]
for (const [promise, workers, load, wanted] of table) test(promise, () => assert.is(wantedOf(workers, load), wanted))

test('outside of its bounds a pool comes inside at once', () => {
  assert.is(autoscale(options, [], 0, 0), 1)
  assert.is(autoscale(options, [], 12, 0), 10)
})

test('what is not known for long enough changes nothing', () => {
  assert.is(autoscale(options, history(4, () => 4).slice(-4), 4, 100_000), 4)
  assert.is(autoscale(options, history(4, () => 0).slice(-59), 4, 100_000), 4)
  assert.is(autoscale(options, [], 4, 100_000), 4)
})

test('one that has just left is looked at for a while before the next one leaves', () => {
  const samples = history(4, () => 0).map((sample) => ({ ...sample, workers: sample.atMs <= 45_000 ? 5 : 4 }))
  assert.is(autoscale(options, samples, 4, 100_000), 4)
  assert.is(autoscale(options, samples.slice(5), 4, 106_000), 3)
})

/** A pool whose workers need some time to come up and share the load. Answers how many there were after each step. */
function simulate(
  settings: AutoscaleSettings,
  first: number,
  steps: number,
  loadAt: (step: number) => number,
  chance = () => 0.5,
): number[] {
  const stepMs = 250
  const scaler = new Autoscaler(settings)
  const startsAt: number[] = new Array(first).fill(0)
  const counts: number[] = []
  for (let step = 0; step < steps; step++) {
    const ready = startsAt.filter((at) => at <= step).length
    const workers = startsAt.map((at): ScaledWorker => {
      const noise = 1 + (chance() - 0.5) * 0.1
      const utilisation = Math.min(1, (loadAt(step) / Math.max(1, ready)) * noise)
      return { state: at <= step ? 'ready' : 'starting', load: { utilisation, busyMs: 0 } }
    })
    const wanted = scaler.poll(workers, startsAt.length, step * stepMs)
    while (startsAt.length < wanted) startsAt.push(step + 8)
    startsAt.length = wanted
    counts.push(wanted)
  }
  return counts
}

test('a pool grows within seconds and shrinks over minutes', () => {
  const counts = simulate(options, 1, 4 * 1200, (step) => (step < 4 * 60 ? 4 : 0.5))
  const secondsUntil = (count: number) => counts.findIndex((one) => one >= count) / 4
  assert.ok(secondsUntil(2) <= 6 && secondsUntil(5) <= 30, counts.slice(0, 240).join(' '))
  assert.is(Math.max(...counts), 6)
  assert.is(counts.at(-1), 1)
  const falls = counts.flatMap((count, step) => (count < (counts[step - 1] ?? count) ? [step / 4] : []))
  for (const [index, second] of falls.entries()) assert.ok(second - (falls[index - 1] ?? 60) >= 60, falls.join(' '))
})

test('a loop in a long turn is used fully, whatever it said last; who leaves or comes up has no load', () => {
  const scaler = new Autoscaler(options)
  const worker = (state: ScaledWorker['state'], utilisation: number, busyMs = 0): ScaledWorker => ({ state, load: { utilisation, busyMs } })
  const workers = [worker('ready', 0, 3000), worker('draining', 1), worker('starting', 1), worker('gone', 1)]
  let wanted = 1
  for (let nowMs = 0; nowMs <= 6000; nowMs += 100) wanted = Math.max(wanted, scaler.poll(workers, 1, nowMs))
  assert.is(wanted, 2)
})

test('under a constant load the number settles and stays, at the target or at its bounds', () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0, max: 12, noNaN: true }),
      fc.double({ min: 0.3, max: 0.9, noNaN: true }),
      fc.integer({ min: 1, max: 8 }),
      fc.integer({ min: 0, max: 8 }),
      fc.nat(8),
      fc.integer(),
      (load, target, min, more, first, seed) => {
        const settings = { min, max: min + more, target, upAfterMs: 2000, downAfterMs: 10_000 }
        const counts = simulate(settings, Math.min(min + first, min + more), 4 * 300, () => load, seededRandom(seed))
        for (const count of counts) assert.ok(count >= min && count <= min + more)
        const settled = counts.slice(-4 * 120)
        assert.is(new Set(settled).size, 1, `it goes on changing: ${counts.join(' ')}`)
        const count = settled[0] as number
        if (count < min + more) assert.ok(load <= count * target * 1.15, `${count} for ${load} are too few`)
        if (count > min) assert.ok(load >= (count - 1) * target * 0.85, `${count} for ${load} are too many`)
        // Up or down, and never up again after a fall.
        const turns =
          counts.filter((one, step) => one > (counts[step - 1] ?? one)).length > 0 &&
          counts.some((one, step) => one < (counts[step - 1] ?? one))
        assert.not.ok(turns, `up and down: ${counts.join(' ')}`)
      },
    ),
    { numRuns: 60 },
  )
})

test.run()
