// The protocol of the control socket: its requests, the answers of operations, and what happens to invalid requests and slow clients.

import { mkdtempSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { assert, atSuiteEnd, suite } from '../../../../test/suite.ts'
import { until, untilEvent } from '../../../../test/support/until.ts'
import { ControlClient, errorOf } from '../../src/control/control-client.ts'
import type { LogLine, OperationLine, Progress } from '../../src/control/control-protocol.ts'
import { type ControlOptions, type ControlServer, openControl } from '../../src/control/control-server.ts'
import { LogRing } from '../../src/control/log-ring.ts'
import { BalancerError } from '../../src/errors.ts'
import type { OperationResult, Operations } from '../../src/operations.ts'
import { calmPool, deferred, statusOf, workerOf } from '../support/fake-balancer.ts'

const test = suite('control server')
const folder = mkdtempSync(join(tmpdir(), 'control-'))
atSuiteEnd(() => rmSync(folder, { recursive: true, force: true }))

let sockets = 0

interface Opened {
  path: string
  client: ControlClient
  server: ControlServer
  calls: string[]
  logs: LogRing
  watchers: ((progress: Progress) => void)[]
}

/** A control socket that records the operations in `calls`; `act` gives their results. */
async function opened(
  act: (call: string) => Promise<OperationResult> = async () => ({ message: 'done' }),
  options: Partial<ControlOptions> = {},
): Promise<Opened> {
  const path = join(folder, `${sockets++}.sock`)
  const calls: string[] = []
  const watchers: ((progress: Progress) => void)[] = []
  const call = (...words: unknown[]): Promise<OperationResult> => {
    calls.push(words.map((word) => (typeof word === 'object' ? JSON.stringify(word) : String(word))).join(' '))
    return act(String(words[0]))
  }
  const operations: Operations = {
    status: () => statusOf(),
    reload: (_settings, pool) => call('reload', pool),
    rollback: () => call('rollback'),
    scale: (pool, change) => call('scale', pool, change),
    drainSlot: (pool, slot) => call('drain', pool, slot),
    restartSlot: (pool, slot) => call('restart', pool, slot),
    upgrade: () => call('upgrade'),
    stop: async (reason) => void (await call('stop', reason)),
    stopNow: (reason) => void calls.push(`stopNow ${reason}`),
  }
  const logs = new LogRing()
  const watchProgress: ControlOptions['watchProgress'] = (_pool, onProgress) => {
    watchers.push(onProgress)
    return {
      explain: async () => onProgress({ kind: 'output', message: 'SyntaxError' }),
      stop: () => void watchers.splice(watchers.indexOf(onProgress), 1),
    }
  }
  const server = await openControl({ path, name: 'shop', version: '1.2.3', operations, watchProgress, logs, ...options })
  atSuiteEnd(() => server.close())
  return { path, client: new ControlClient(path), server, calls, logs, watchers }
}

async function rejects(body: () => Promise<unknown>, reason: RegExp): Promise<void> {
  const error = await body().then(
    () => undefined,
    (error: Error) => error,
  )
  assert.match(`${error?.message}`, reason)
}

async function linesOf<T>(lines: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const line of lines) all.push(line)
  return all
}

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

test('followers of the log leave connections for other commands', async () => {
  const { path, client } = await opened()
  const followers = Array.from({ length: 16 }, () => request({ socketPath: path, path: '/logs?follow=true', agent: false }).end())
  for (const follower of followers) {
    follower.on('error', () => {})
    await untilEvent(follower, 'response')
  }
  await rejects(() => linesOf(client.logs({ lines: 1, follow: true, pool: undefined })), /16 clients follow the log already/)
  assert.is((await client.status()).name, 'shop')
  for (const follower of followers) follower.destroy()
})

test('logs returns the newest lines, of a pool or a worker', async () => {
  const { client, logs } = await opened()
  logs.push({ time: 1, level: 30, msg: 'ready' })
  logs.push({ time: 2, level: 30, msg: 'hello', pool: 'web', slot: 0, stream: 'stdout' })
  logs.push({ time: 3, level: 30, msg: 'oh', pool: 'web', slot: 1, stream: 'stderr' })
  logs.push({ time: 4, level: 30, msg: 'heavy', pool: 'heavy', slot: 0, stream: 'stdout' })
  const texts = async (query: Parameters<ControlClient['logs']>[0]) =>
    (await linesOf(client.logs(query))).map((line) => ('line' in line ? line.line.msg : line))
  assert.equal(await texts({ lines: 50 }), ['ready', 'hello', 'oh', 'heavy'])
  assert.equal(await texts({ lines: 1 }), ['heavy'])
  assert.equal(await texts({ lines: 0 }), [])
  assert.equal(await texts({ lines: 50, pool: 'web' }), ['hello', 'oh'])
  assert.equal(await texts({ lines: 50, pool: 'web', slot: 1 }), ['oh'])
})

test('a follower gets new lines until the balancer exits', async () => {
  const { client, logs, server } = await opened()
  logs.push({ time: 1, level: 30, msg: 'before' })
  const received: LogLine[] = []
  const over = (async () => {
    for await (const line of client.logs({ lines: 1, follow: true, pool: undefined })) received.push(line)
  })()
  await until(() => received.length === 1)
  logs.push({ time: 2, level: 30, msg: 'after' })
  await until(() => received.length === 2)
  await server.close()
  await over
  assert.equal(
    received.map((line) => 'line' in line && line.line.msg),
    ['before', 'after'],
  )
})

test('a slow reader loses lines and gets their number; the balancer buffers a bounded amount', async () => {
  const { path, logs } = await opened()
  const sent = request({ socketPath: path, path: '/logs?follow=true', agent: false })
  sent.end()
  const [answer] = (await untilEvent(sent, 'response')) as [import('node:http').IncomingMessage]
  answer.pause()
  const msg = 'x'.repeat(8_000)
  const count = 2_000
  const before = process.memoryUsage().rss
  for (let i = 0; i < count; i++) {
    logs.push({ time: i, level: 30, msg })
    if (i % 50 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  assert.ok(process.memoryUsage().rss - before < 200 * 1024 * 1024)
  let text = ''
  answer.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
  })
  answer.resume()
  const lines = (): LogLine[] =>
    text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line))
  const lost = await until(() => lines().find((line): line is { lost: number } => 'lost' in line))
  const read = lines().filter((line) => 'line' in line).length
  assert.is(read + lost.lost, count)
  assert.ok(read < 1_000, `${read} were kept`)
  logs.push({ time: 0, level: 30, msg: 'again' })
  await until(() => text.includes('"again"'))
  sent.destroy()
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
