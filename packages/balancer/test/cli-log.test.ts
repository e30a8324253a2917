// The log: readable for people, JSON for machines, and what workers print in between.

import * as assert from 'uvu/assert'
import { suite } from '../../../test/suite.ts'
import { followEvents } from '../src/cli/events.ts'
import { createLog } from '../src/cli/log.ts'
import { BalancerEmitter } from '../src/events.ts'
import { FakeOutput } from './fake-balancer.ts'

const test = suite('cli log')
const seat = { pool: 'web', slot: 0, generation: 1, pid: 4711 }

function logOf({ pretty = false, level = 'info', isTTY = false } = {}) {
  const output = new FakeOutput()
  output.isTTY = isTTY
  const events = new BalancerEmitter()
  const log = createLog({ output, level, pretty })
  const clock = { now: 0 }
  followEvents(events, log, () => clock.now)
  return {
    events,
    log,
    clock,
    lines: () =>
      output.text
        .trimEnd()
        .split('\n')
        .filter((line) => line !== ''),
    json: () =>
      output.text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
  }
}

test('on a terminal, lines for people', () => {
  const { events, lines } = logOf({ pretty: true })
  events.emit('workerReady', { ...seat, startMs: 140.4 })
  events.emit('workerOutput', { ...seat, stream: 'stdout', line: 'hello {"a":1}' })
  events.emit('workerExited', { ...seat, code: 1, signal: null, expected: false, everReady: false, restartInMs: 200.7 })
  events.emit('workerExited', { ...seat, code: null, signal: 'SIGKILL', expected: false, everReady: true, restartInMs: undefined })
  const [ready, output, exited, killed] = lines()
  assert.match(ready as string, /^\[\d\d:\d\d:\d\d\] INFO: web\/0 ready after 140 ms \(pid 4711\)$/)
  assert.is(output, 'web/0 | hello {"a":1}')
  assert.match(exited as string, /WARN: web\/0 exited with code 1 before it was ready \(pid 4711\); starts again in 201 ms$/)
  assert.match(killed as string, /WARN: web\/0 was ended by SIGKILL \(pid 4711\)$/)
})

test('colours on a terminal only', () => {
  const { events, lines } = logOf({ pretty: true, isTTY: true })
  events.emit('workerOutput', { ...seat, stream: 'stderr', line: 'oh' })
  assert.equal(lines(), ['\x1b[33mweb/0 | \x1b[0moh'])
})

test('JSON otherwise, one object a line', () => {
  const { events, json } = logOf()
  events.emit('listening', { address: '127.0.0.1:3000' })
  events.emit('workerOutput', { ...seat, stream: 'stderr', line: 'oh "no"' })
  events.emit('draining', { reason: 'SIGTERM', timeoutMs: 30000 })
  const [listening, output, draining] = json()
  assert.equal([listening.level, listening.address, listening.msg], [30, '127.0.0.1:3000', 'listening on 127.0.0.1:3000'])
  assert.equal([output.pool, output.slot, output.stream, output.msg], ['web', 0, 'stderr', 'oh "no"'])
  assert.is(draining.msg, 'draining for at most 30 s: SIGTERM')
  assert.is(listening.hostname, undefined)
})

test('a level keeps lines back, but not those of the workers', () => {
  const { events, json } = logOf({ level: 'error' })
  events.emit('workerReady', { ...seat, startMs: 1 })
  events.emit('workerOutput', { ...seat, stream: 'stdout', line: 'still here' })
  assert.equal(
    json().map(({ msg }) => msg),
    ['still here'],
  )
})

for (const pretty of [true, false]) {
  test(`silent is silent, ${pretty ? 'readable' : 'JSON'}`, () => {
    const { events, lines } = logOf({ level: 'silent', pretty })
    events.emit('workerOutput', { ...seat, stream: 'stdout', line: 'x' })
    events.emit('acceptPaused', { reason: 'descriptors' })
    assert.equal(lines(), [])
  })
}

test('a policy that always fails is told of every ten seconds', () => {
  const { events, json, clock } = logOf()
  const fail = (route: string) => events.emit('policyFailed', { route, error: new Error('oops') })
  for (let i = 0; i < 1000; i++) fail('/a')
  fail('/b')
  clock.now = 10_000
  fail('/a')
  assert.equal(
    json().map(({ msg }) => msg),
    ['the policy of route /a failed: oops', 'the policy of route /b failed: oops', 'the policy of route /a failed 1000 times: oops'],
  )
})

test('every event but the last word has a line', () => {
  const { events, json } = logOf({ level: 'trace' })
  events.emit('workerStarted', seat)
  events.emit('workerNoticed', { ...seat, level: 'warn', message: 'listens on a second port' })
  events.emit('acceptPaused', { reason: '900 of 1000 descriptors' })
  events.emit('acceptResumed')
  events.emit('stopped')
  assert.equal(
    json().map(({ msg }) => msg),
    [
      'web/0 started (pid 4711)',
      'web/0: listens on a second port',
      'no connections are accepted for now: 900 of 1000 descriptors',
      'connections are accepted again',
      'stopped',
    ],
  )
})

test.run()
