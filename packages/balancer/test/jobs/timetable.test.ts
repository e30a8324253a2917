// Schedules on a wall clock that stands, jumps ahead and is set back.

import * as fc from 'fast-check'
import { assert, suite } from '../../../../test/suite.ts'
import { Timetable } from '../../src/jobs/timetable.ts'

const test = suite('timetable')
const MINUTE = 60_000
const HOUR = 60 * MINUTE
const NOW = 1_000 * HOUR
const every = (ms: number) => ({ after: (atMs: number) => (Math.floor(atMs / ms) + 1) * ms })
const hourly = (changes: { nowMs?: number; lastMs?: number } = {}) => {
  const timetable = new Timetable()
  timetable.set('a', 'hourly', every(HOUR), changes.nowMs ?? NOW + 1, changes.lastMs)
  return timetable
}
const takenAt = (timetable: Timetable, atMs: number) => timetable.take(atMs).map((due) => due.atMs - NOW)

test('a time is due once', () => {
  const timetable = hourly()
  assert.equal(takenAt(timetable, NOW + MINUTE), [])
  assert.equal(takenAt(timetable, NOW + HOUR), [HOUR])
  assert.equal(takenAt(timetable, NOW + HOUR), [])
  assert.is(timetable.earliestMs, NOW + 2 * HOUR)
})

test('times that have passed while the machine slept are due once', () => {
  const timetable = hourly()
  assert.equal(takenAt(timetable, NOW + 5 * HOUR + MINUTE), [HOUR])
  assert.is(timetable.earliestMs, NOW + 6 * HOUR)
})

test('a clock that is set back a little repeats nothing', () => {
  const timetable = hourly()
  assert.equal(takenAt(timetable, NOW + HOUR + 10), [HOUR])
  assert.equal(takenAt(timetable, NOW + HOUR - 5000), [])
  assert.equal(takenAt(timetable, NOW + HOUR + 20), [])
  assert.equal(takenAt(timetable, NOW + 2 * HOUR), [2 * HOUR])
})

test('a clock that was years ahead and is set right does not wait for years', () => {
  const timetable = hourly()
  assert.equal(takenAt(timetable, NOW + 10_000 * HOUR), [HOUR])
  assert.equal(takenAt(timetable, NOW + MINUTE), [])
  assert.equal(takenAt(timetable, NOW + HOUR), [HOUR])
})

test('the same schedule set again keeps its next time; another one gets its own', () => {
  const timetable = hourly()
  timetable.set('a', 'hourly', every(HOUR), NOW + 3 * HOUR)
  assert.is(timetable.nextMs('a'), NOW + HOUR)
  timetable.set('a', 'minutely', every(MINUTE), NOW + 3 * HOUR)
  assert.is(timetable.nextMs('a'), NOW + 3 * HOUR + MINUTE)
  timetable.keep(new Set())
  assert.ok(timetable.isEmpty)
  assert.is(timetable.earliestMs, undefined)
})

test('after an upgrade the first time is the one after the last of the old primary, even if it has passed', () => {
  assert.equal(takenAt(hourly({ nowMs: NOW + HOUR + 1, lastMs: NOW + 1 }), NOW + HOUR + 2), [HOUR])
  assert.equal(takenAt(hourly({ nowMs: NOW + 1, lastMs: NOW + HOUR + 1 }), NOW + HOUR + 2), [])
})

test('a schedule whose times are over is never due', () => {
  const timetable = new Timetable()
  timetable.set('a', 'once', { after: () => undefined }, NOW)
  assert.equal(timetable.take(NOW + 1000 * HOUR), [])
  assert.is(timetable.earliestMs, undefined)
})

test('whatever the clock does within three hours, no time is due twice, and none is missed on a clock that only runs ahead', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -90 * MINUTE, max: 150 * MINUTE }), { maxLength: 40 }), (steps) => {
      const timetable = hourly()
      const seen: number[] = []
      let nowMs = NOW + 1
      let highest = nowMs
      for (const step of steps) {
        nowMs = Math.max(nowMs + step, highest - 2 * HOUR)
        highest = Math.max(highest, nowMs)
        seen.push(...takenAt(timetable, nowMs))
      }
      assert.equal(
        seen,
        [...new Set(seen)].sort((one, other) => one - other),
      )
      if (steps.every((step) => step >= 0 && step <= HOUR)) assert.is(seen.length, Math.floor((nowMs - NOW) / HOUR))
    }),
  )
})

test.run()
