// The control socket as a protocol: what may be asked, how an operation is answered, and that nothing that comes over it harms the balancer.

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
  says: ((progress: Progress) => void)[]
}

/** A control socket before someone who writes down what is asked; `act` says what comes of it. */
async function opened(
  act: (call: string) => Promise<OperationResult> = async () => ({ message: 'done' }),
  options: Partial<ControlOptions> = {},
): Promise<Opened> {
  const path = join(folder, `${sockets++}.sock`)
  const calls: string[] = []
  const says: ((progress: Progress) => void)[] = []
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
  const watchProgress: ControlOptions['watchProgress'] = (_pool, say) => {
    says.push(say)
    return { explain: async () => say({ kind: 'output', message: 'SyntaxError' }), stop: () => void says.splice(says.indexOf(say), 1) }
  }
  const server = await openControl({ path, name: 'shop', version: '1.2.3', operations, watchProgress, logs, ...options })
  atSuiteEnd(() => server.close())
  return { path, client: new ControlClient(path), server, calls, logs, says }
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

/** Sends bytes as they are and resolves with everything that comes back until the end. */
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

test('status says who answers, and everything that the balancer tells', async () => {
  const { client } = await opened()
  const { name, pid, version, upMs, ...rest } = await client.status()
  assert.equal([name, pid, version], ['shop', process.pid, '1.2.3'])
  assert.ok(upMs >= 0)
  assert.equal(rest, statusOf())
})

test('each operation is passed on, with the pool that is meant', async () => {
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

test('with several pools the one to scale is named', async () => {
  const pools = [...statusOf().pools, { ...calmPool, name: 'heavy', ready: 1, desired: 1, boardFaults: 0, workers: [workerOf(0)] }]
  const { client, calls } = await opened(undefined, {
    operations: { status: () => statusOf({ pools }), scale: async () => ({ message: 'never' }) } as unknown as Operations,
  })
  assert.equal(await linesOf(client.runOperation('scale', { to: 6 })), [
    { error: { code: 'ERR_UNKNOWN_SEAT', message: 'there are several pools: name one of web, heavy', source: 'system', retryable: false } },
  ])
  assert.equal(calls, [])
})

test('progress comes while it runs, and the result last', async () => {
  const end = deferred<OperationResult>()
  const { client, says } = await opened(() => end.promise)
  const lines: OperationLine[] = []
  const over = (async () => {
    for await (const line of client.runOperation('reload', {})) lines.push(line)
  })()
  await until(() => says.length === 1)
  says[0]?.({ kind: 'event', message: 'web/0 ready', pool: 'web', slot: 0 })
  await until(() => lines.length === 1)
  end.resolve({ message: '4 workers replaced' })
  await over
  assert.equal(lines, [
    { progress: { kind: 'event', message: 'web/0 ready', pool: 'web', slot: 0 } },
    { result: { message: '4 workers replaced' } },
  ])
  assert.is(says.length, 0, 'nobody tells any more')
})

test('an error has its code, and what explains it before', async () => {
  const { client } = await opened(() =>
    Promise.reject(new BalancerError('ERR_RELOAD_FAILED', 'web/0 exited', { source: 'app', retryable: true })),
  )
  const lines = await linesOf(client.runOperation('reload', {}))
  assert.equal(lines, [
    { progress: { kind: 'output', message: 'SyntaxError' } },
    { error: { code: 'ERR_RELOAD_FAILED', message: 'web/0 exited', source: 'app', retryable: true } },
  ])
})

test('an error that nobody foresaw has a message only, and one of a newer balancer keeps its own', async () => {
  const { client } = await opened(() => Promise.reject(new TypeError('oops')))
  assert.equal((await linesOf(client.runOperation('rollback', {}))).at(-1), { error: { message: 'oops' } })
  assert.is(errorOf({ message: 'oops' }).message, 'oops')
  assert.not.instance(errorOf({ code: 'ERR_OF_TOMORROW', message: 'x' }), BalancerError)
  const known = errorOf({ code: 'ERR_BUSY', message: 'x', source: 'app', retryable: true }) as BalancerError
  assert.equal([known.code, known.source, known.retryable], ['ERR_BUSY', 'app', true])
})

test('who asks may go away: the operation goes on', async () => {
  const end = deferred<OperationResult>()
  let done = false
  const { path, says, calls, client } = await opened(() =>
    end.promise.finally(() => {
      done = true
    }),
  )
  const asked = request({ socketPath: path, method: 'POST', path: '/reload', agent: false })
  asked.on('error', () => {})
  asked.end()
  await until(() => says.length === 1)
  asked.destroy()
  await until(() => says.length === 0)
  assert.not.ok(done)
  end.resolve({ message: 'done' })
  await until(() => done)
  assert.equal(calls, ['reload undefined'])
  assert.is((await client.status()).name, 'shop')
})

const refused: [what: string, text: string, status: number][] = [
  ['garbage', '\x00\x01\x02 garbage\r\n\r\n', 400],
  ['a TLS hello', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400],
  ['a head without end', `GET /${'x'.repeat(20_000)}`, 431],
  ['no JSON', post('/reload', '{'), 400],
  ['a body of another shape', post('/reload', '{"pools":["web"]}'), 400],
  ['a list', post('/scale', '[6]'), 400],
  ['to and by', post('/scale', '{"pool":"web","to":1,"by":1}'), 400],
  ['no worker at all', post('/scale', '{"to":0}'), 400],
  ['half a worker', post('/scale', '{"by":0.5}'), 400],
  ['no slot', post('/drain', '{"pool":"web"}'), 400],
  ['a slot that is no number', post('/restart', '{"slot":"0"}'), 400],
  ['a body that is too large', post('/reload', ' '.repeat(5_000)), 413],
  ['an unknown operation', post('/explode'), 404],
  ['a name that every object has', post('/toString'), 404],
  ['no path', post('//['), 400],
  ['an operation with GET', 'GET /reload HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 405],
  ['status with POST', post('/status'), 405],
  ['lines that are no number', 'GET /logs?lines=all HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', 400],
]
test('what is not understood is refused, and nothing comes of it', async () => {
  const { path, calls, client } = await opened()
  for (const [what, text, status] of refused) assert.match(statusLine(await exchange(path, text)), `HTTP/1.1 ${status} `, what)
  assert.equal(calls, [])
  assert.is((await client.status()).name, 'shop')
})

test('a client hears why it was refused', async () => {
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

test('a request that does not come to its end is given up', async () => {
  const { path } = await opened(undefined, { requestTimeoutMs: 50 })
  assert.match(statusLine(await exchange(path, 'GET /status HTTP/1.1\r\nHost')), 'HTTP/1.1 408 ')
  assert.match(statusLine(await exchange(path, 'POST /reload HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{')), 'HTTP/1.1 408 ')
})

test('connections are bounded: one more ends the one that has been silent for longest, and is answered', async () => {
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

test('followers of the log leave room for others', async () => {
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

test('the log: its newest lines, of a pool or worker', async () => {
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

test('a follower hears what comes, until the balancer ends', async () => {
  const { client, logs, server } = await opened()
  logs.push({ time: 1, level: 30, msg: 'before' })
  const heard: LogLine[] = []
  const over = (async () => {
    for await (const line of client.logs({ lines: 1, follow: true, pool: undefined })) heard.push(line)
  })()
  await until(() => heard.length === 1)
  logs.push({ time: 2, level: 30, msg: 'after' })
  await until(() => heard.length === 2)
  await server.close()
  await over
  assert.equal(
    heard.map((line) => 'line' in line && line.line.msg),
    ['before', 'after'],
  )
})

test('a slow reader loses lines and is told how many; the balancer keeps a bounded rest', async () => {
  const { path, logs } = await opened()
  const asked = request({ socketPath: path, path: '/logs?follow=true', agent: false })
  asked.end()
  const [answer] = (await untilEvent(asked, 'response')) as [import('node:http').IncomingMessage]
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
  asked.destroy()
})

test('closing waits for what is being answered, and then the socket is gone', async () => {
  const end = deferred<OperationResult>()
  const { client, server, says } = await opened(() => end.promise)
  const lines = linesOf(client.runOperation('stop', {}))
  await until(() => says.length === 1)
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

test('a balancer that goes away in the middle is told of', async () => {
  const { client, server, says } = await opened(() => new Promise(() => {}))
  const lines = linesOf(client.runOperation('reload', {}))
  lines.catch(() => {})
  await until(() => says.length === 1)
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
