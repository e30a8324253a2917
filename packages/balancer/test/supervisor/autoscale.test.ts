// Autoscaling: a table of loads, a simulated pool, and random loads.

import fc from 'fast-check'
import { assert, suite } from '../../../../test/suite.ts'
import { seededRandom } from '../../../../test/support/random.ts'
import type { AutoscaleSettings } from '../../src/settings.ts'
import { Autoscaler, autoscale, type LoadSample, type ScaledWorker } from '../../src/supervisor/watch/autoscale.ts'

const test = suite('autoscale', { timeoutMs: 30_000 })
const options: AutoscaleSettings = { min: 1, max: 10, target: 0.7, upAfterMs: 5000, downAfterMs: 60_000 }

/** A sample each second up to `nowMs` = 100,000. `load` is a function of the age of the sample. */
const history = (workers: number, load: (agoMs: number) => number): LoadSample[] =>
  Array.from({ length: 100 }, (_, index) => {
    const atMs = (index + 1) * 1000
    return { atMs, load: load(100_000 - atMs), workers }
  })
const desiredOf = (workers: number, load: (agoMs: number) => number, changes: Partial<AutoscaleSettings> = {}) =>
  autoscale({ ...options, ...changes }, history(workers, load), workers, 100_000)

const table: [promise: string, workers: number, load: (agoMs: number) => number, desired: number][] = [
  ['load at the target changes nothing', 4, () => 2.8, 4],
  ['load a little above the target changes nothing', 4, () => 3, 4],
  ['load a little below the target changes nothing', 4, () => 2, 4],
  ['more load adds as many workers as the target needs', 4, () => 3.6, 6],
  ['the number of workers at most doubles at once', 2, () => 8, 4],
  ['fully used loops add workers', 4, () => 4, 6],
  ['a second of load adds no worker', 4, (agoMs) => (agoMs < 1000 ? 4 : 2.4), 4],
  ['five seconds of load add workers', 4, (agoMs) => (agoMs < 5000 ? 4 : 2.4), 6],
  ['no load for a minute removes one worker', 4, () => 0, 3],
  ['no load for less than a minute removes none', 4, (agoMs) => (agoMs < 55_000 ? 0 : 2.4), 4],
  ['load that comes again and again keeps the workers', 4, (agoMs) => (Math.floor(agoMs / 5000) % 6 === 0 ? 2.8 : 0), 4],
  ['a moment of load within the minute does not prevent a removal', 4, (agoMs) => (agoMs === 30_000 ? 4 : 0.4), 3],
  ['never below min', 1, () => 0, 1],
  ['never above max', 10, () => 10, 10],
]
for (const [promise, workers, load, desired] of table) test(promise, () => assert.is(desiredOf(workers, load), desired))

test('a pool outside its bounds comes inside at once', () => {
  assert.is(autoscale(options, [], 0, 0), 1)
  assert.is(autoscale(options, [], 12, 0), 10)
})

test('too few samples change nothing', () => {
  assert.is(autoscale(options, history(4, () => 4).slice(-4), 4, 100_000), 4)
  assert.is(autoscale(options, history(4, () => 0).slice(-59), 4, 100_000), 4)
  assert.is(autoscale(options, [], 4, 100_000), 4)
})

test('after a removal the next one waits for another downAfterMs', () => {
  const samples = history(4, () => 0).map((sample) => ({ ...sample, workers: sample.atMs <= 45_000 ? 5 : 4 }))
  assert.is(autoscale(options, samples, 4, 100_000), 4)
  assert.is(autoscale(options, samples.slice(5), 4, 106_000), 3)
})

/** Simulates a pool whose workers take two seconds to start and share the load. Returns the number of workers after each step. */
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
    const desired = scaler.poll(workers, startsAt.length, step * stepMs)
    while (startsAt.length < desired) startsAt.push(step + 8)
    startsAt.length = desired
    counts.push(desired)
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

test('a loop in a long turn counts as fully used; starting and draining workers have no load', () => {
  const scaler = new Autoscaler(options)
  const worker = (state: ScaledWorker['state'], utilisation: number, busyMs = 0): ScaledWorker => ({ state, load: { utilisation, busyMs } })
  const workers = [worker('ready', 0, 3000), worker('draining', 1), worker('starting', 1), worker('gone', 1)]
  let most = 1
  for (let nowMs = 0; nowMs <= 6000; nowMs += 100) most = Math.max(most, scaler.poll(workers, 1, nowMs))
  assert.is(most, 2)
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
        assert.is(new Set(settled).size, 1, `the number keeps changing: ${counts.join(' ')}`)
        const count = settled[0] as number
        if (count < min + more) assert.ok(load <= count * target * 1.15, `${count} workers are too few for load ${load}`)
        if (count > min) assert.ok(load >= (count - 1) * target * 0.85, `${count} workers are too many for load ${load}`)
        // Under a constant load the number goes up or down, never both.
        const isUpAndDown =
          counts.filter((one, step) => one > (counts[step - 1] ?? one)).length > 0 &&
          counts.some((one, step) => one < (counts[step - 1] ?? one))
        assert.not.ok(isUpAndDown, `up and down: ${counts.join(' ')}`)
      },
    ),
    { numRuns: 60 },
  )
})

test.run()
