// Probes over a unix socket, against servers that answer as workers may.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createPlainServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { assert, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import type { Probe } from '../../src/settings.ts'
import { Prober, probe } from '../../src/supervisor/workers/probe.ts'

const test = suite('probe')
const token = 'the token'
const settings: Probe = { path: '/healthz?deep', status: [200, 299], intervalMs: 5, timeoutMs: 5000, headers: {} }
let sockets = 0

const socketPath = () => join(tmpdir(), `probe-${process.pid}-${++sockets}.sock`)

async function withServer(
  answer: (response: ServerResponse, request: IncomingMessage) => void,
  body: (socketPath: string) => Promise<void>,
): Promise<void> {
  const path = socketPath()
  const server = createServer((request, response) => answer(response, request))
  await new Promise<void>((resolve) => server.listen(path, resolve))
  try {
    await body(path)
  } finally {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
}

const answers: [what: string, answer: (response: ServerResponse) => void, reason: string | undefined][] = [
  ['a good status', (response) => response.end('fine'), undefined],
  ['another good status', (response) => response.writeHead(204).end(), undefined],
  ['a bad status', (response) => response.writeHead(503).end('not yet'), '/healthz?deep: 503'],
  ['a status just above the range', (response) => response.writeHead(300).end(), '/healthz?deep: 300'],
  ['a response that breaks off', (response) => response.write('a', () => response.destroy()), '/healthz?deep: ECONNRESET'],
  ['a connection that closes without a response', (response) => response.destroy(), '/healthz?deep: ECONNRESET'],
  [
    'an upgrade that was not requested',
    (response) => response.socket?.end('HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n'),
    '/healthz?deep: 101',
  ],
]
for (const [what, answer, reason] of answers)
  test(`${what}: ${reason ?? 'passes'}`, () =>
    withServer(answer, async (path) => assert.is((await probe({ socketPath: path, token }, settings).result).reason, reason)))

test('a missing socket and an answer that is no HTTP fail with their error code', async () => {
  const path = socketPath()
  assert.is((await probe({ socketPath: path, token }, settings).result).reason, '/healthz?deep: ENOENT')
  const server = createPlainServer((socket) =>
    socket
      .on('error', () => {})
      .resume()
      .end('hello'),
  )
  await new Promise<void>((resolve) => server.listen(path, resolve))
  assert.is((await probe({ socketPath: path, token }, settings).result).reason, '/healthz?deep: HPE_INVALID_CONSTANT')
  await new Promise((resolve) => server.close(resolve))
})

test('a probe without a complete response fails after timeoutMs', async () => {
  const quick = { ...settings, timeoutMs: 60 }
  for (const answer of [() => {}, (response: ServerResponse) => void response.write('a')]) {
    await withServer(answer, async (path) => {
      assert.is((await probe({ socketPath: path, token }, quick).result).reason, 'no answer within 60 ms')
    })
  }
})

test('only the beginning of an endless response is read', async () => {
  let sent = 0
  const pump = (response: ServerResponse) => {
    while (!response.destroyed && response.write(Buffer.alloc(65_536))) sent += 65_536
    response.once('drain', () => pump(response))
  }
  await withServer(pump, async (path) => assert.is((await probe({ socketPath: path, token }, settings).result).reason, undefined))
  assert.ok(sent < 64 << 20, `${sent} bytes`)
})

test('a probe names itself, sends its headers, and closes its connection', async () => {
  const seen: IncomingMessage[] = []
  const connections = new Set<Socket>()
  await withServer(
    (response, request) => {
      seen.push(request)
      connections.add(request.socket)
      response.end()
    },
    async (path) => {
      await probe({ socketPath: path, token }, settings).result
      await probe({ socketPath: path, token }, { ...settings, headers: { Host: 'shop.example', 'User-Agent': 'me', 'X-Deep': 'yes' } })
        .result
      await until(() => [...connections].every(({ destroyed }) => destroyed))
    },
  )
  const field = 'the token probe 1.1 plain 127.0.0.1 - 127.0.0.1 -'
  assert.equal(
    seen.map(({ method, url, rawHeaders }) => [method, url, ...rawHeaders]),
    [
      ['GET', '/healthz?deep', 'host', 'localhost', 'user-agent', 'switchyard-probe', 'connection', 'close', 'switchyard-forwarded', field],
      [
        'GET',
        '/healthz?deep',
        'Host',
        'shop.example',
        'User-Agent',
        'me',
        'X-Deep',
        'yes',
        'connection',
        'close',
        'switchyard-forwarded',
        field,
      ],
    ],
  )
})

/** A prober, and the callbacks that it has called, in order. */
function proberOf(path: string, probes: { readyWhen?: Probe; failures?: number }): { prober: Prober; calls: string[] } {
  const calls: string[] = []
  const prober = new Prober({
    socketPath: path,
    token,
    readyWhen: probes.readyWhen,
    healthWhen: probes.failures === undefined ? undefined : { ...settings, failures: probes.failures },
    onReady: () => calls.push('ready'),
    onUnhealthy: (reason) => calls.push(`unhealthy: ${reason}`),
  })
  return { prober, calls }
}

test('without probes a worker is ready at once', () => {
  const { prober, calls } = proberOf('/nowhere', {})
  prober.start()
  assert.equal(calls, ['ready'])
  prober.stop()
})

test('a worker is ready when its probe passes, and is not probed again', async () => {
  let asked = 0
  await withServer(
    (response) => response.writeHead(++asked < 4 ? 503 : 200).end(),
    async (path) => {
      const { prober, calls } = proberOf(path, { readyWhen: settings })
      prober.start()
      await until(() => calls.length > 0)
      assert.equal([calls, asked, prober.lastFailure], [['ready'], 4, undefined])
      prober.stop()
    },
  )
})

test('a worker that does not listen yet is probed again', async () => {
  const { prober, calls } = proberOf('/nowhere', { readyWhen: settings })
  prober.start()
  await until(() => prober.lastFailure === '/healthz?deep: ENOENT')
  assert.equal(calls, [])
  prober.stop()
})

test('a worker is unhealthy once after so many failures in a row, and again only after a success in between', async () => {
  // A single failure, four in a row, then three in a row.
  const statuses = [503, 200, 503, 503, 503, 503, 200, 200, 503, 503, 503]
  let asked = 0
  await withServer(
    (response) => response.writeHead(statuses[asked++] ?? 200).end(),
    async (path) => {
      const { prober, calls } = proberOf(path, { failures: 3 })
      prober.start()
      await until(() => asked > statuses.length + 1)
      prober.stop()
      assert.equal(calls, ['ready', 'unhealthy: /healthz?deep: 503', 'unhealthy: /healthz?deep: 503'])
    },
  )
})

test('a stopped prober calls nothing, and leaves no timer or socket behind', async () => {
  let asked = 0
  await withServer(
    () => {
      asked++
    },
    async (path) => {
      for (const probes of [{ readyWhen: settings }, { failures: 1 }]) {
        asked = 0
        const { prober, calls } = proberOf(path, probes)
        prober.start()
        await until(() => asked === 1)
        const before = [...calls]
        prober.stop()
        await new Promise((resolve) => setImmediate(resolve))
        assert.equal(calls, before)
      }
    },
  )
})

test.run()
