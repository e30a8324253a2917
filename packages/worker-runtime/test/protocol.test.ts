// Messages are checked on arrival: a worker is not trusted, and an app may send messages of its own.

import { responseBoundsMs } from '@switchyard/handoff'
import fc from 'fast-check'
import { assert, suite } from '../../../test/suite.ts'
import { readListenRequest } from '../src/listen-protocol.ts'
import { readFromPrimary, readFromWorker } from '../src/message-checks.ts'
import type { ToPrimary } from '../src/protocol.ts'

const test = suite('protocol')

test('messages of the app are ignored', () => {
  for (const message of [undefined, null, 1, 'drained', [], {}, { switchyard: 'nonsense' }, { type: 'report' }]) {
    assert.is(readFromWorker(message), undefined)
    assert.is(readFromPrimary(message), undefined)
  }
})

test('a request to listen is read as sent, or not at all', () => {
  const wish = {
    ask: 'listen',
    id: 1,
    kind: 'http',
    host: '::1',
    port: 3000,
    path: undefined,
    ipv6Only: true,
    reusePort: false,
    backlog: 9,
    mode: 0o755,
  }
  assert.equal(readListenRequest(wish), wish)
  assert.equal(readListenRequest({ ...wish, kind: 'gopher', backlog: -1, mode: 0o17_755 }), { ...wish, kind: 'net', backlog: undefined })
  for (const changes of [
    { id: 1.5 },
    { ask: 'nothing' },
    { port: 70_000 },
    { port: 1.5 },
    { port: undefined },
    { path: '/run/app.sock' },
    { path: '' },
  ]) {
    const read = readListenRequest({ ...wish, ...changes })
    // An invalid path counts as left out.
    assert.is(read === undefined, !('path' in changes && changes.path === ''), JSON.stringify(changes))
  }
  assert.equal(readListenRequest({ ask: 'close', id: 3, port: 7 }), { ask: 'close', id: 3 })
  assert.equal(readListenRequest({ ask: 'chmod', id: 3, mode: 0o4666 }), { ask: 'chmod', id: 3, mode: 0o666 })
})

test('names of TLS tickets are bounded and have their form, and keys are read as sent or not at all', () => {
  const name = 'a-Z_09aaaaaaaaaaaaaaaa'
  const report = { switchyard: 'tls-tickets', slot: 3, firm: true, names: [name] }
  assert.equal(readFromWorker(report), report)
  assert.equal(readFromWorker({ ...report, firm: 1, names: [name, 7, `${name}x`, '', null] }), { ...report, firm: false })
  assert.equal(readFromWorker({ ...report, names: 'x' }), { ...report, names: [] })
  assert.equal(readFromWorker({ ...report, names: new Array(1000).fill(name) }), { ...report, names: new Array(10).fill(name) })
  for (const slot of [-1, 1.5, 65_535, '3', undefined]) assert.is(readFromWorker({ ...report, slot }), undefined)
  const start = { names: 'AAAA', issuing: 1, keys: [{ number: 1, secret: 'AAAA' }] }
  assert.equal(readFromPrimary({ switchyard: 'tls-tickets', start }), { switchyard: 'tls-tickets', start })
  for (const broken of [undefined, {}, { ...start, names: 1 }, { ...start, issuing: '1' }, { ...start, keys: [1] }, { ...start, keys: {} }])
    assert.is(readFromPrimary({ switchyard: 'tls-tickets', start: broken }), undefined)
})

test('impossible values in a report become 0, and a share is at most 1', () => {
  const load = { inFlight: -3, connections: '9', received: 2.7, loopLagMs: Number.NaN, utilisation: 7, latencyMs: Number.POSITIVE_INFINITY }
  assert.equal(readFromWorker({ switchyard: 'report', load }), {
    switchyard: 'report',
    load: {
      inFlight: 0,
      connections: 0,
      received: 2,
      begun: 0,
      failed: 0,
      loopLagMs: 0,
      utilisation: 1,
      latencyMs: 0,
      memoryBytes: 0,
      details: undefined,
      faults: 7,
    },
  })
})

const DETAILS = {
  heapUsedBytes: 1,
  heapLimitBytes: 2,
  loopDelay: { p50Ms: 3, p99Ms: 4, maxMs: 5 },
  responses: { counts: responseBoundsMs.map(() => 1).concat(1), sumMs: 6 },
}
const LOAD = {
  inFlight: 1,
  connections: 2,
  received: 3,
  begun: 4,
  failed: 5,
  loopLagMs: 6,
  utilisation: 0.5,
  latencyMs: 7,
  memoryBytes: 8,
}
const readReport = (load: object) => (readFromWorker({ switchyard: 'report', load }) as Extract<ToPrimary, { switchyard: 'report' }>).load

test('a valid report is unchanged', () => {
  assert.equal(readReport({ ...LOAD, details: DETAILS }), { ...LOAD, details: DETAILS, faults: 0 })
  assert.equal(readReport(LOAD), { ...LOAD, details: undefined, faults: 0 })
})

const lies: [what: string, said: unknown, read: unknown, faults: number][] = [
  ['no object', 'much', undefined, 1],
  ['too few buckets', { ...DETAILS, responses: { counts: [1], sumMs: 1 } }, undefined, 1],
  ['an object of buckets', { ...DETAILS, responses: { counts: { length: 14 }, sumMs: 1 } }, undefined, 1],
  ['a heap that is none', { ...DETAILS, heapUsedBytes: -1, heapLimitBytes: '2' }, { ...DETAILS, heapUsedBytes: 0, heapLimitBytes: 0 }, 2],
  ['delays that are none', { ...DETAILS, loopDelay: null }, { ...DETAILS, loopDelay: { p50Ms: 0, p99Ms: 0, maxMs: 0 } }, 3],
  [
    'a bucket below 0',
    { ...DETAILS, responses: { counts: [-1, ...DETAILS.responses.counts.slice(1)], sumMs: Number.NaN } },
    { ...DETAILS, responses: { counts: [0, ...DETAILS.responses.counts.slice(1)], sumMs: 0 } },
    2,
  ],
]
for (const [what, said, details, faults] of lies)
  test(`impossible details: ${what}`, () => assert.equal(readReport({ ...LOAD, details: said }), { ...LOAD, details, faults }))

test('the header limit of a server is read', () => {
  const read = (bytes: unknown) => (readFromWorker({ switchyard: 'header-limit', bytes }) as { bytes: number }).bytes
  assert.is(read(65_536), 65_536)
  for (const lie of [-1, Number.NaN, '1', undefined, Number.POSITIVE_INFINITY]) assert.is(read(lie), 0)
})

test('only valid parts of an address are read', () => {
  const read = (address: unknown) => readFromWorker({ switchyard: 'listening', address })
  assert.equal(read({ port: 99999, host: 1, path: {} }), {
    switchyard: 'listening',
    address: { host: undefined, port: undefined, path: undefined },
  })
  assert.is(read('3000'), undefined)
})

test('a drain order is the last one only with `last`, and its time is a valid number', () => {
  const read = (more: object) => readFromPrimary({ switchyard: 'drain', ...more })
  assert.equal(read({ last: true, spreadMs: 5000 }), { switchyard: 'drain', last: true, spreadMs: 5000 })
  assert.equal(read({ last: 'yes', spreadMs: -1 }), { switchyard: 'drain', last: false, spreadMs: 0 })
  assert.equal(read({}), { switchyard: 'drain', last: false, spreadMs: 0 })
})

test('valid session commands are unchanged, and each invalid one becomes undefined', () => {
  const commands = [
    ...[
      ['read', 'a', null],
      ['read', 'a', 7],
      ['write', 'a', 'text', 1000, 0],
      ['touch', 'a', 1000],
      ['destroy', 'a', null],
      ['ids', 10, 0],
    ],
    ...[['clear']],
  ]
  const batch = { switchyard: 'sessions', batch: 3, hears: true }
  assert.equal(readFromWorker({ ...batch, commands }), { ...batch, commands })
  assert.equal(readFromWorker({ ...batch, hears: 'yes', commands: [['read', 'a b', null], ['clear', 1], 'clear'] }), {
    ...{ ...batch, hears: false },
    commands: [undefined, ['clear'], undefined],
  })
  const many = readFromWorker({ ...batch, commands: Array.from({ length: 10_000 }, () => ['clear']) })
  assert.is((many as { commands: readonly unknown[] }).commands.length, 512)
  assert.is(readFromWorker({ ...batch, commands: 'read' }), undefined)
  assert.is(readFromWorker({ ...batch, batch: 'x', commands }), undefined)
})

test('an invalid list of changed sessions means any session', () => {
  const read = (ids: unknown) => readFromPrimary({ switchyard: 'sessions-changed', ids })
  assert.equal(read(['a', 'b']), { switchyard: 'sessions-changed', ids: ['a', 'b'] })
  for (const ids of [undefined, null, 'a', ['a', 1]]) assert.equal(read(ids), { switchyard: 'sessions-changed', ids: undefined })
  assert.is(readFromPrimary({ switchyard: 'session-replies', batch: 1, replies: {} }), undefined)
  assert.is(readFromPrimary({ switchyard: 'session-replies', batch: null, replies: [] }), undefined)
})

test('learned visitors are valid keys, and bounded', () => {
  const key = 'x'.repeat(22)
  const read = (keys: unknown) => readFromWorker({ switchyard: 'learned', keys })
  assert.equal(read([key, 'short', `${key}x`, 5, null, '!'.repeat(22), key]), { switchyard: 'learned', keys: [key, key] })
  assert.equal(read('x'), { switchyard: 'learned', keys: [] })
  assert.equal(read(new Array(1000).fill(key)), { switchyard: 'learned', keys: new Array(64).fill(key) })
})

test('a session report has numbers, and one of two states', () => {
  const report = { kind: 'redis', state: 'down', commands: 5, failed: 2, sumMs: 1.5, nearEntries: 3, nearHits: 4, nearMisses: 1 } as const
  assert.equal(readFromWorker({ switchyard: 'session-report', report }), { switchyard: 'session-report', report })
  assert.equal(readFromWorker({ switchyard: 'session-report', report: { kind: 5, commands: -1, sumMs: 'long' } }), {
    switchyard: 'session-report',
    report: { kind: 'embedded', state: 'up', commands: 0, failed: 0, sumMs: 0, nearEntries: 0, nearHits: 0, nearMisses: 0 },
  })
  assert.is(readFromWorker({ switchyard: 'session-report' }), undefined)
})

test('a notice is bounded', () => {
  const read = readFromWorker({ switchyard: 'notice', message: 'x'.repeat(10_000) }) as { message: string }
  assert.is(read.message.length, 2000)
})

test('a notice is logged once only with `once`', () => {
  const read = (once?: unknown) => readFromWorker({ switchyard: 'notice', message: 'x', once }) as { once: boolean }
  assert.equal(
    [read(), read(1), read(true)].map(({ once }) => once),
    [false, false, true],
  )
})

test('anything at all is read without throwing', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(
        'report',
        'listening',
        'learned',
        'session-report',
        'notice',
        'drained',
        'drain',
        'sessions',
        'session-replies',
        'sessions-changed',
      ),
      fc.anything(),
      fc.anything(),
      (kind, load, message) => {
        readFromWorker({
          switchyard: kind,
          load,
          address: load,
          keys: load,
          report: load,
          message,
          batch: 1,
          commands: [load, [load], ['read', load, message]],
        })
        readListenRequest({ ask: 'listen', id: 1, kind, host: load, port: message, path: load, backlog: load, mode: message })
        readFromPrimary({ switchyard: kind, load, batch: 1, replies: load, ids: message })
      },
    ),
  )
})

test.run()
