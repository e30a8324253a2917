// The protocol of the control socket: its requests, the answers of operations, and what happens to invalid requests and slow clients.

import { request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { assert, suite } from '../../../../test/suite.ts'
import { until, untilEvent } from '../../../../test/support/until.ts'
import { errorOf } from '../../src/control/control-client.ts'
import type { OperationLine } from '../../src/control/control-protocol.ts'
import { BalancerError } from '../../src/errors.ts'
import type { OperationResult, Operations } from '../../src/operations.ts'
import { calmPool, deferred, statusOf, workerOf } from '../support/fake-balancer.ts'
import { linesOf, opened } from './opened-control.ts'

const test = suite('control server')

/** Sends raw bytes and resolves with everything that is received until the connection closes. */
async function exchange(path: string, text: string): Promise<string> {
  const socket = connect(path)
  socket.on('error', () => {})
  socket.write(text)
  let answer = ''
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    answer += chunk
  })
  await untilEvent(socket, 'close')
  return answer
}

const post = (target: string, body = '', headers = ''): string =>
  `POST ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`
const statusLine = (answer: string): string => answer.split('\r\n', 1)[0] as string

test('status has the identity of the primary and the status of the balancer', async () => {
  const { client } = await opened()
  const { name, pid, version, upMs, ...rest } = await client.status()
  assert.equal([name, pid, version], ['shop', process.pid, '1.2.3'])
  assert.ok(upMs >= 0)
  assert.equal(rest, statusOf())
})

test('each operation runs, with its pool or the default pool', async () => {
  const { client, calls } = await opened()
  await linesOf(client.runOperation('reload', {}))
  await linesOf(client.runOperation('reload', { pool: 'heavy' }))
  await linesOf(client.runOperation('rollback', {}))
  await linesOf(client.runOperation('scale', { to: 6 }))
  await linesOf(client.runOperation('scale', { pool: 'heavy', by: -1 }))
  await linesOf(client.runOperation('drain', { slot: 1 }))
  await linesOf(client.runOperation('restart', { pool: 'heavy', slot: 0 }))
  await linesOf(client.runOperation('upgrade', {}))
  await linesOf(client.runOperation('stop', {}))
  const last = await linesOf(client.runOperation('stop', { now: true }))
  assert.equal(calls, [
    'reload undefined',
    'reload heavy',
    'rollback',
    'scale web {"to":6}',
    'scale heavy {"by":-1}',
    'drain web 1',
    'restart heavy 0',
    'upgrade',
    "stop 'balancer stop'",
    "stopNow 'balancer stop --now'",
    "stop 'balancer stop'",
  ])
  assert.equal(last, [{ result: { message: 'the balancer has stopped' } }])
})

test('scale needs a pool if there are several', async () => {
  const pools = [...statusOf().pools, { ...calmPool, name: 'heavy', ready: 1, desired: 1, boardFaults: 0, workers: [workerOf(0)] }]
  const { client, calls } = await opened(undefined, {
    operations: { status: () => statusOf({ pools }), scale: async () => ({ message: 'never' }) } as unknown as Operations,
  })
  assert.equal(await linesOf(client.runOperation('scale', { to: 6 })), [
    { error: { code: 'ERR_UNKNOWN_SEAT', message: 'there are several pools: name one of web, heavy', source: 'system', retryable: false } },
  ])
  assert.equal(calls, [])
})

test('progress lines come before the result', async () => {
  const end = deferred<OperationResult>()
  const { client, watchers } = await opened(() => end.promise)
  const lines: OperationLine[] = []
  const over = (async () => {
    for await (const line of client.runOperation('reload', {})) lines.push(line)
  })()
  await until(() => watchers.length === 1)
  watchers[0]?.({ kind: 'event', message: 'web/0 ready', pool: 'web', slot: 0 })
  await until(() => lines.length === 1)
  end.resolve({ message: '4 workers replaced' })
  await over
  assert.equal(lines, [
    { progress: { kind: 'event', message: 'web/0 ready', pool: 'web', slot: 0 } },
    { result: { message: '4 workers replaced' } },
  ])
  assert.is(watchers.length, 0, 'the watch has stopped')
})

test('an error line has its code, and comes after the lines that explain it', async () => {
  const { client } = await opened(() =>
    Promise.reject(new BalancerError('ERR_RELOAD_FAILED', 'web/0 exited', { source: 'app', retryable: true })),
  )
  const lines = await linesOf(client.runOperation('reload', {}))
  assert.equal(lines, [
    { progress: { kind: 'output', message: 'SyntaxError' } },
    { error: { code: 'ERR_RELOAD_FAILED', message: 'web/0 exited', source: 'app', retryable: true } },
  ])
})

test('an unexpected error has only a message, and an unknown code is no BalancerError', async () => {
  const { client } = await opened(() => Promise.reject(new TypeError('oops')))
  assert.equal((await linesOf(client.runOperation('rollback', {}))).at(-1), { error: { message: 'oops' } })
  assert.is(errorOf({ message: 'oops' }).message, 'oops')
  assert.not.instance(errorOf({ code: 'ERR_OF_TOMORROW', message: 'x' }), BalancerError)
  const known = errorOf({ code: 'ERR_BUSY', message: 'x', source: 'app', retryable: true }) as BalancerError
  assert.equal([known.code, known.source, known.retryable], ['ERR_BUSY', 'app', true])
})

test('an operation continues if the client disconnects', async () => {
  const end = deferred<OperationResult>()
  let done = false
  const { path, watchers, calls, client } = await opened(() =>
    end.promise.finally(() => {
      done = true
    }),
  )
  const sent = request({ socketPath: path, method: 'POST', path: '/reload', agent: false })
  sent.on('error', () => {})
  sent.end()
  await until(() => watchers.length === 1)
  sent.destroy()
  await until(() => watchers.length === 0)
  assert.not.ok(done)
  end.resolve({ message: 'done' })
  await until(() => done)
  assert.equal(calls, ['reload undefined'])
  assert.is((await client.status()).name, 'shop')
})

const refused: [what: string, text: string, status: number][] = [
  ['garbage', '\x00\x01\x02 garbage\r\n\r\n', 400],
  ['a TLS hello', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400],
  ['an endless head', `GET /${'x'.repeat(20_000)}`, 431],
  ['a body that is not JSON', post('/reload', '{'), 400],
  ['a body of another shape', post('/reload', '{"pools":["web"]}'), 400],
  ['a list', post('/scale', '[6]'), 400],
  ['to and by', post('/scale', '{"pool":"web","to":1,"by":1}'), 400],
  ['zero workers', post('/scale', '{"to":0}'), 400],
  ['half a worker', post('/scale', '{"by":0.5}'), 400],
  ['no slot', post('/drain', '{"pool":"web"}'), 400],
  ['a slot that is not a number', post('/restart', '{"slot":"0"}'), 400],
  ['a body that is too large', post('/reload', ' '.repeat(5_000)), 413],
  ['an unknown operation', post('/explode'), 404],
  ['the name of an inherited property', post('/toString'), 404],
  ['an invalid path', post('//['), 400],
  ['an operation with GET', 'GET /reload HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 405],
  ['status with POST', post('/status'), 405],
  ['lines that are not a number', 'GET /logs?lines=all HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 400],
]
test('invalid requests are refused and have no effect', async () => {
  const { path, calls, client } = await opened()
  for (const [what, text, status] of refused) assert.match(statusLine(await exchange(path, text)), `HTTP/1.1 ${status} `, what)
  assert.equal(calls, [])
  assert.is((await client.status()).name, 'shop')
})

test('a refused client gets the reason', async () => {
  const { client } = await opened()
  try {
    await linesOf(client.runOperation('scale', { to: 0 }))
    assert.unreachable()
  } catch (error) {
    assert.equal(
      [(error as BalancerError).code, (error as BalancerError).message],
      ['ERR_CONTROL', "The balancer refused the request: the body is not valid for 'scale'"],
    )
  }
})

test('an incomplete request times out', async () => {
  const { path } = await opened(undefined, { requestTimeoutMs: 50 })
  assert.match(statusLine(await exchange(path, 'GET /status HTTP/1.1\r\nHost')), 'HTTP/1.1 408 ')
  assert.match(statusLine(await exchange(path, 'POST /reload HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{')), 'HTTP/1.1 408 ')
})

test('connections are limited: a new one replaces the longest idle one', async () => {
  const { path, client } = await opened()
  const held: Socket[] = []
  for (let i = 0; i < 32; i++) {
    const socket = connect(path)
    socket.on('error', () => {})
    await untilEvent(socket, 'connect')
    held.push(socket)
  }
  const first = untilEvent(held[0] as Socket, 'close')
  assert.is((await client.status()).name, 'shop')
  await first
  for (const socket of held) socket.destroy()
})

test('close waits for answers under way and removes the socket', async () => {
  const end = deferred<OperationResult>()
  const { client, server, watchers } = await opened(() => end.promise)
  const lines = linesOf(client.runOperation('stop', {}))
  await until(() => watchers.length === 1)
  const closed = server.close()
  end.resolve({ message: 'stopped' })
  assert.equal(await lines, [{ result: { message: 'the balancer has stopped' } }])
  await closed
  try {
    await client.status()
    assert.unreachable()
  } catch (error) {
    assert.equal([(error as BalancerError).code, (error as BalancerError).retryable], ['ERR_NOT_RUNNING', true])
  }
})

test('a balancer that exits during an operation is ERR_NOT_RUNNING', async () => {
  const { client, server, watchers } = await opened(() => new Promise(() => {}))
  const lines = linesOf(client.runOperation('reload', {}))
  lines.catch(() => {})
  await until(() => watchers.length === 1)
  await server.close()
  try {
    await lines
    assert.unreachable()
  } catch (error) {
    assert.is((error as BalancerError).code, 'ERR_NOT_RUNNING')
    assert.match((error as BalancerError).message, 'closed the connection before it had answered')
  }
})

test.run()
