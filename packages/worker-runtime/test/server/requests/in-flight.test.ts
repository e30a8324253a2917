// Counts of begun and failed requests, and response times, over real sockets.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { responseBoundsMs } from '@switchyard/handoff'
import { assert, suite } from '../../../../../test/suite.ts'
import { until } from '../../../../../test/support/until.ts'
import { LoopDelay } from '../../../src/reports/load-reports.ts'
import { InFlight } from '../../../src/server/requests/in-flight.ts'

const test = suite('in flight')

type App = (response: ServerResponse, request: IncomingMessage) => void

/** Runs one request through an app and a client, and returns the counts at the end. */
async function countsOf(app: App, client: (socket: Socket) => void = () => {}) {
  const inFlight = new InFlight()
  const server = createServer((request, response) => {
    inFlight.beginRequest(request, response)
    app(response, request)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  socket.on('error', () => {}).resume()
  try {
    client(socket)
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await until(() => inFlight.ended === 1, 3000, 'the end of the request')
    const { begun, failed, count } = inFlight
    return { begun, failed, count }
  } finally {
    socket.destroy()
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
}

const big = Buffer.alloc(8 << 20)

const table: [what: string, failed: number, app: App, client?: (socket: Socket) => void][] = [
  ['an answer', 0, (response) => response.end('a')],
  ['one that says not found', 0, (response) => response.writeHead(404).end()],
  ['one that says 500', 1, (response) => response.writeHead(500).end()],
  [
    'one that says 503 and goes on for a while',
    1,
    (response) => response.writeHead(503).write('a') && setTimeout(() => response.end(), 20),
  ],
  ['one that the app breaks off', 1, (response) => response.write('a', () => response.destroy())],
  ['none: the app ends the connection', 1, (_response, { socket }) => socket.destroy()],
  ['none: the client hangs up', 0, () => {}, (socket) => setTimeout(() => socket.end(), 20)],
  ['none: the client resets the connection', 0, () => {}, (socket) => setTimeout(() => socket.resetAndDestroy(), 20)],
  [
    'one that the client does not stay for',
    0,
    (response) => response.write(big),
    (socket) => socket.once('data', () => socket.resetAndDestroy()),
  ],
  [
    'one that has ended, though the client has not stayed for it',
    0,
    (response) => response.end(big),
    (socket) => socket.once('data', () => socket.destroy()),
  ],
  [
    'one that says 500, though the client has not stayed for it',
    1,
    (response) => response.writeHead(500).end(big),
    (socket) => socket.once('data', () => socket.destroy()),
  ],
]
for (const [what, failed, app, client] of table)
  test(`${failed === 1 ? 'failed' : 'not failed'}: ${what}`, async () =>
    assert.equal(await countsOf(app, client), { begun: 1, failed, count: 0 }))

test('a request that is emitted twice counts once', async () => {
  let shown = 0
  const counts = await countsOf((response, request) => {
    const { server } = request.socket as Socket & { server: Server }
    if (++shown === 1) server.emit('request', request, response)
    else response.end('a')
  })
  assert.equal(counts, { begun: 1, failed: 0, count: 0 })
})

test('pipelined requests that wait behind another end with their connection', async () => {
  const inFlight = new InFlight()
  const begun: string[] = []
  const server = createServer((request, response) => {
    inFlight.beginRequest(request, response)
    begun.push(request.url as string)
    // The first is never answered; the answer of the second is ready; the third fails while it waits.
    if (request.url === '/b') response.end('b')
    if (request.url === '/c') response.writeHead(500).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  socket.write(['/a', '/b', '/c', '/d'].map((path) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`).join(''))
  await until(() => begun.length === 4)
  assert.is(inFlight.count, 4)
  socket.destroy()
  await until(() => inFlight.count === 0, 3000, 'the end of all')
  assert.equal([inFlight.begun, inFlight.ended, inFlight.failed], [4, 4, 0])
  await new Promise((resolve) => server.close(resolve))
})

test('a request that begins after its connection has closed ends at once', async () => {
  const inFlight = new InFlight()
  const server = createServer(async (request, response) => {
    await new Promise((resolve) => request.socket.once('close', resolve))
    await new Promise(setImmediate)
    inFlight.beginRequest(request, response)
    response.end('a')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  setTimeout(() => socket.destroy(), 20)
  await until(() => inFlight.begun === 1)
  await until(() => inFlight.count === 0, 3000, 'its end')
  assert.is(inFlight.ended, 1)
  await new Promise((resolve) => server.close(resolve))
})

test('one request in eight is timed, and falls into the bucket of its time', async () => {
  const inFlight = new InFlight()
  const waits = [0, 30]
  const server = createServer((request, response) => {
    inFlight.beginRequest(request, response)
    const wait = inFlight.begun % 8 === 1 ? waits.shift() : 0
    if (wait) setTimeout(() => response.end(), wait)
    else response.end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  for (let turn = 0; turn < 16; turn++) await (await fetch(`http://127.0.0.1:${port}/`)).text()
  await until(() => inFlight.ended === 16)
  const { counts, sumMs } = inFlight.responses
  assert.is(counts.length, responseBoundsMs.length + 1)
  assert.is(
    counts.reduce((sum, count) => sum + count, 0),
    2,
  )
  const beyond25 = counts.slice(responseBoundsMs.indexOf(50)).reduce((sum, count) => sum + count, 0)
  assert.ok(beyond25 >= 1, counts.join(' '))
  assert.ok(sumMs >= 29, `${sumMs} ms`)
  inFlight.forgetLatency()
  assert.equal(inFlight.responses, { counts, sumMs }, 'what is forgotten was still so')
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

test('loop delays are quantiles of the last ten seconds', () => {
  const lateness = new LoopDelay()
  assert.equal(lateness.read(), { p50Ms: 0, p99Ms: 0, maxMs: 0 })
  lateness.record(7)
  assert.equal(lateness.read(), { p50Ms: 7, p99Ms: 7, maxMs: 7 })
  for (let ms = 1; ms <= 100; ms++) lateness.record(ms)
  assert.equal(lateness.read(), { p50Ms: 50, p99Ms: 99, maxMs: 100 }, 'the 7 has gone')
})

test.run()
