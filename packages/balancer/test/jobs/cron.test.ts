// Cron expressions: which are valid, and their times around the start and end of summer time.

import { assert, suite } from '../../../../test/suite.ts'
import { CronTimes, cronFault, isTimeZone, loadCron } from '../../src/jobs/cron.ts'

const test = suite('cron')
await loadCron()

/** The next times after a moment, in UTC. */
function timesOf(pattern: string, from: string, count: number, timeZone = 'Europe/Berlin'): string[] {
  const times = new CronTimes({ pattern, timeZone })
  const found: string[] = []
  for (let atMs = times.after(Date.parse(from)); atMs !== undefined && found.length < count; atMs = times.after(atMs))
    found.push(new Date(atMs).toISOString().slice(5, 16))
  return found
}

for (const pattern of ['0 3 * * *', '*/5 * * * *', '0 4 * * SUN', '*/10 * * * * *', '@daily', '0 3 L * *', '0 9 * * MON#1', '0 0 29 2 *'])
  test(`'${pattern}' is valid`, () => assert.is(cronFault(pattern), undefined))

for (const [pattern, fault] of [
  ['', 'invalid configuration format'],
  ['hello', 'invalid configuration format'],
  ['* * * *', 'exactly five, six, or seven'],
  ['61 * * * *', 'Invalid value for minute: 61'],
  ['0 25 * * *', 'Invalid value for hour: 25'],
  ['*/0 * * * *', 'illegal stepping: 0'],
  ['5-1 * * * *', "'5-1'"],
  ['@reboot', '@reboot is not supported'],
  ['0 3 31 2 *', 'there is no such time to come'],
  ['2020-01-01T00:00:00', 'there is no such time to come'],
  ['*'.repeat(300), 'more than 200 characters'],
] as const)
  test(`'${pattern.slice(0, 20)}' is not: ${fault}`, () => assert.ok(cronFault(pattern)?.includes(fault), cronFault(pattern)))

test('time zones', () => {
  assert.ok(isTimeZone('Europe/Berlin') && isTimeZone('UTC'))
  assert.not.ok(isTimeZone('Europe/Berln') || isTimeZone(''))
})

test('a time that the start of summer time skips comes right after the gap', () =>
  assert.equal(timesOf('30 2 * * *', '2026-03-27T12:00:00Z', 3), ['03-28T01:30', '03-29T01:00', '03-30T00:30']))

test('a time that the end of summer time repeats comes once', () =>
  assert.equal(timesOf('30 2 * * *', '2026-10-24T12:00:00Z', 2), ['10-25T00:30', '10-26T01:30']))

test('every hour is every hour at both', () => {
  assert.equal(timesOf('0 * * * *', '2026-03-29T00:30:00Z', 3), ['03-29T01:00', '03-29T02:00', '03-29T03:00'])
  assert.equal(timesOf('0 * * * *', '2026-10-24T23:30:00Z', 4), ['10-25T00:00', '10-25T01:00', '10-25T02:00', '10-25T03:00'])
})

test('with several times, those in the gap are left out; with a step, the repeated hour counts twice', () => {
  assert.equal(timesOf('15,45 2 * * *', '2026-03-28T12:00:00Z', 1), ['03-30T00:15'])
  assert.equal(timesOf('*/30 2 * * *', '2026-10-24T12:00:00Z', 4), ['10-25T00:00', '10-25T00:30', '10-25T01:00', '10-25T01:30'])
})

test('an expression without a time to come has no next one', () =>
  assert.is(new CronTimes({ pattern: '2020-01-01T00:00:00', timeZone: undefined }).after(Date.now()), undefined))

test.run()
