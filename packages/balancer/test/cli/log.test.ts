// The log: readable lines or JSON, with the lines that workers print.

import * as assert from 'uvu/assert'
import { suite } from '../../../../test/suite.ts'
import { duration, memory } from '../../src/cli/format.ts'
import { createLog } from '../../src/cli/log.ts'
import { followEvents } from '../../src/cli/running/log-events.ts'
import { BalancerEmitter } from '../../src/events.ts'
import { FakeOutput } from '../support/fake-balancer.ts'

const test = suite('log')
const workerSlot = { pool: 'web', slot: 0, generation: 1, pid: 4711 }

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

test('readable lines with time, level and slot', () => {
  const { events, lines } = logOf({ pretty: true })
  events.emit('workerReady', { ...workerSlot, startMs: 140.4 })
  events.emit('workerOutput', { ...workerSlot, stream: 'stdout', line: 'hello {"a":1}' })
  events.emit('workerExited', {
    ...workerSlot,
    code: 1,
    signal: null,
    expected: false,
    everReady: false,
    isFinal: false,
    restartInMs: 200.7,
  })
  events.emit('workerExited', {
    ...workerSlot,
    code: null,
    signal: 'SIGKILL',
    expected: false,
    everReady: true,
    isFinal: false,
    restartInMs: undefined,
  })
  events.emit('workerExited', {
    ...workerSlot,
    code: null,
    signal: 'SIGTERM',
    expected: true,
    everReady: true,
    isFinal: false,
    restartInMs: undefined,
  })
  events.emit('workerExited', {
    ...workerSlot,
    code: 0,
    signal: null,
    expected: true,
    everReady: true,
    isFinal: false,
    restartInMs: undefined,
  })
  events.emit('workerExited', {
    ...workerSlot,
    code: 3,
    signal: null,
    expected: true,
    everReady: true,
    isFinal: false,
    restartInMs: undefined,
  })
  events.emit('workerExited', {
    ...workerSlot,
    code: null,
    signal: 'SIGKILL',
    expected: true,
    everReady: true,
    isFinal: false,
    restartInMs: undefined,
  })
  events.emit('workerExited', {
    ...workerSlot,
    code: null,
    signal: 'SIGTERM',
    expected: false,
    everReady: true,
    isFinal: false,
    restartInMs: 7,
  })
  const [ready, output, exited, killed, ...ended] = lines()
  assert.match(ready as string, /^\[\d\d:\d\d:\d\d\] INFO: web\/0 ready after 140 ms \(pid 4711\)$/)
  assert.is(output, 'web/0 | hello {"a":1}')
  assert.match(exited as string, /WARN: web\/0 exited with code 1 before it was ready \(pid 4711\); restarts in 201 ms$/)
  assert.match(
    killed as string,
    /WARN: web\/0 was ended by SIGKILL \(pid 4711\), which the balancer did not send: probably the kernel, because memory ran out$/,
  )
  assert.equal(
    ended.map((line) => line.slice('[12:34:56] '.length)),
    [
      'INFO: web/0 has stopped (pid 4711)',
      'INFO: web/0 has stopped (pid 4711)',
      'INFO: web/0 exited with code 3 (pid 4711)',
      'INFO: web/0 was ended by SIGKILL (pid 4711)',
      'WARN: web/0 was ended by SIGTERM (pid 4711); restarts in 7 ms',
    ],
  )
})

test('colours only on a terminal', () => {
  const { events, lines } = logOf({ pretty: true, isTTY: true })
  events.emit('workerOutput', { ...workerSlot, stream: 'stderr', line: 'oh' })
  assert.equal(lines(), ['\x1b[33mweb/0 | \x1b[0moh'])
})

test('escape sequences of workers other than colours are shown, and their lines can not pass for log lines', () => {
  const line = '\x1b]0;owned\x07\x1b[31mred\x1b[2J'
  const shown = '\\x1b]0;owned\\x07\x1b[31mred\\x1b[2J\x1b[0m'
  for (const isTTY of [true, false]) {
    const { events, lines } = logOf({ pretty: true, isTTY })
    events.emit('workerOutput', { ...workerSlot, stream: 'stdout', line })
    events.emit('workerNoticed', { ...workerSlot, level: 'info', message: 'a\r\x1b[2Jb\n[12:00:00] INFO: c' })
    const [output, notice, more] = lines()
    assert.ok((output as string).endsWith(isTTY ? shown : '\\x1b]0;owned\\x07red\\x1b[2J'), output)
    assert.ok((notice as string).includes('a\\x0d\\x1b[2Jb'), notice)
    assert.match(more as string, /^ {4,}\[12:00:00\] INFO: c/)
  }
})

test('JSON on a terminal has no escape sequences', () => {
  const { events, lines, json } = logOf({ isTTY: true })
  events.emit('workerOutput', { ...workerSlot, stream: 'stdout', line: '\x1b[31m\x9b2J' })
  assert.is(json()[0]?.msg, '\x1b[31m\x9b2J')
  assert.equal(
    [...lines().join('')].filter((one) => one < ' ' || (one >= '\x7f' && one < '\xa0')),
    [],
  )
})

test('JSON has one object per line', () => {
  const { events, json } = logOf()
  events.emit('listening', { address: '127.0.0.1:3000' })
  events.emit('workerOutput', { ...workerSlot, stream: 'stderr', line: 'oh "no"' })
  events.emit('draining', { reason: 'SIGTERM', timeoutMs: 30000 })
  const [listening, output, draining] = json()
  assert.equal([listening.level, listening.address, listening.msg], [30, '127.0.0.1:3000', 'listening on 127.0.0.1:3000'])
  assert.equal([output.pool, output.slot, output.stream, output.msg], ['web', 0, 'stderr', 'oh "no"'])
  assert.is(draining.msg, 'draining for at most 30 s: SIGTERM')
  assert.is(listening.hostname, undefined)
})

test('a level filters log lines, but not lines of workers', () => {
  const { events, json } = logOf({ level: 'error' })
  events.emit('workerReady', { ...workerSlot, startMs: 1 })
  events.emit('workerOutput', { ...workerSlot, stream: 'stdout', line: 'still here' })
  assert.equal(
    json().map(({ msg }) => msg),
    ['still here'],
  )
})

for (const pretty of [true, false]) {
  test(`silent prints nothing, ${pretty ? 'readable' : 'JSON'}`, () => {
    const { events, lines } = logOf({ level: 'silent', pretty })
    events.emit('workerOutput', { ...workerSlot, stream: 'stdout', line: 'x' })
    events.emit('acceptPaused', { reason: 'descriptors' })
    assert.equal(lines(), [])
  })
}

test('a policy that always fails is logged every ten seconds, with a count', () => {
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

test('the line of each event', () => {
  const { events, json } = logOf({ level: 'trace' })
  events.emit('workerStarted', workerSlot)
  events.emit('workerNoticed', { ...workerSlot, level: 'warn', message: 'listens on a second port' })
  events.emit('workerRetiring', { ...workerSlot, reason: 'memory' })
  events.emit('workerDraining', { ...workerSlot, connections: 1, inFlight: 2, leftMs: 65_000 })
  events.emit('workerDraining', { ...workerSlot, connections: 1, inFlight: 0, leftMs: 29_997 })
  events.emit('workerDraining', { ...workerSlot, connections: 0, inFlight: 0, leftMs: 29_997 })
  events.emit('workerHung', { ...workerSlot, busyMs: 30_400 })
  events.emit('workerStack', { ...workerSlot, stack: 'at spin (app.js:3:1)\nat handle (app.js:9:1)' })
  events.emit('workerStack', { ...workerSlot, stack: undefined })
  events.emit('workerEjected', { ...workerSlot, reason: '60 % of its requests fail', forMs: 30_000 })
  events.emit('seatBroken', { pool: 'web', slot: 0, failures: 30 })
  events.emit('scaled', { pool: 'web', from: 4, to: 1, reason: 'asked for' })
  events.emit('operationStarted', { name: 'reload', pool: undefined })
  events.emit('operationStarted', { name: 'scale', pool: 'web' })
  events.emit('operationProgressed', { name: 'reload', message: '1 of 4' })
  events.emit('operationEnded', { name: 'reload', message: '4 workers replaced', error: undefined })
  events.emit('operationEnded', { name: 'reload', message: 'web/0 exited', error: new Error('web/0 exited') })
  events.emit('ready', { workers: 4 })
  events.emit('acceptPaused', { reason: '900 of 1000 descriptors' })
  events.emit('acceptResumed')
  events.emit('stopped')
  assert.equal(
    json().map(({ level, msg }) => `${level} ${msg}`),
    [
      '20 web/0 started (pid 4711)',
      '40 web/0: listens on a second port',
      '30 web/0 will be replaced: memory (pid 4711)',
      '30 web/0 is draining: 1 connection, 2 requests; at most 1 min 5 s more (pid 4711)',
      '30 web/0 is draining: 1 connection, 0 requests; at most 30 s more (pid 4711)',
      '30 web/0 is draining: nothing left to finish (pid 4711)',
      '40 web/0 hangs: its event loop has not turned for 30 s (pid 4711)',
      '40 web/0 hangs here:\nat spin (app.js:3:1)\nat handle (app.js:9:1)',
      "40 web/0 hangs; its stack can't be read",
      '40 web/0 gets no connections for 30 s: 60 % of its requests fail (pid 4711)',
      "50 web/0 is broken: it failed 30 times and is not started again until 'balancer restart web/0'",
      '30 web scales from 4 to 1 worker: asked for',
      '30 reload begins',
      '30 scale of web begins',
      '30 reload: 1 of 4',
      '30 reload: 4 workers replaced',
      '50 reload failed: web/0 exited',
      '20 connections are accepted, with 4 workers',
      '40 no connections are accepted for now: 900 of 1000 descriptors',
      '30 connections are accepted again',
      '30 stopped',
    ],
  )
})

for (const pretty of [true, false]) {
  test(`the ring has the lines of the log, ${pretty ? 'readable' : 'JSON'}`, () => {
    const { events, log } = logOf({ pretty })
    events.emit('workerStarted', workerSlot)
    events.emit('workerReady', { ...workerSlot, startMs: 1 })
    events.emit('workerOutput', { ...workerSlot, stream: 'stderr', line: 'oh' })
    const entries = log.ring.last(10)
    assert.equal(
      entries.map(({ level, msg, pool, slot, stream }) => [level, msg, pool, slot, stream]),
      [
        [30, 'web/0 ready after 1 ms (pid 4711)', 'web', 0, undefined],
        [30, 'oh', 'web', 0, 'stderr'],
      ],
    )
    assert.ok(entries.every(({ time }) => typeof time === 'number'))
  })
}

for (const isTTY of [true, false]) {
  test(`with log files ${isTTY ? 'a terminal gets' : 'standard output does not get'} the lines of workers too`, () => {
    const output = new FakeOutput()
    output.isTTY = isTTY
    const written: [string, number][] = []
    const files = {
      write: ({ line }: { line: string }, time: number) => void written.push([line, time]),
      flush: () => Promise.resolve(),
      status: { written: 1, dropped: 2, failure: null },
    }
    const log = createLog({ output, level: 'info', pretty: isTTY, files })
    log.logger.info('own')
    log.output({ pool: 'web', slot: 0, stream: 'stdout', line: 'hello' })
    assert.is(output.text.includes('own'), true)
    assert.is(output.text.includes('hello'), isTTY)
    assert.equal(log.status, files.status)
    // `balancer logs` compares the times of both.
    assert.equal(
      log.ring.last(1).map(({ msg, time }) => [msg, time]),
      written,
    )
  })
}

test('durations and byte counts', () => {
  assert.equal([0, 12.4, 999, 1_000, 59_999, 60_000, 61_500, 3_600_000, 7_500_000, 90_000_000, Number.POSITIVE_INFINITY].map(duration), [
    '0 ms',
    '12 ms',
    '999 ms',
    '1 s',
    '59 s',
    '1 min',
    '1 min 1 s',
    '1 h',
    '2 h 5 min',
    '1 d 1 h',
    'no limit',
  ])
  assert.equal([0, 85.4 * 1024 ** 2, 1.44 * 1024 ** 3].map(memory), ['0 MiB', '85 MiB', '1.4 GiB'])
})

test.run()
