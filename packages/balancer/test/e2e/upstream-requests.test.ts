// Upstream pools: requests of a route go to servers that are no workers, and nothing of them changes but what a proxy must change.

import { writeFileSync } from 'node:fs'
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { assert, atSuiteEnd, suite } from '../../../../test/suite.ts'
import { freePort } from '../../../../test/support/ports.ts'
import { ok, RecordingServer } from '../../../../test/support/recording-server.ts'
import { until } from '../../../../test/support/until.ts'
import type { BalancerConfig } from '../../src/config/config.ts'
import { certificate } from './support/certificate.ts'
import { exchange, get, RawClient } from './support/raw-client.ts'
import { type RunningBalancer, startBalancer, temporaryFolder } from './support/running-balancer.ts'
import { upstreamPools, urlOf } from './support/upstream-pools.ts'

const test = suite('upstream requests', { timeoutMs: 60_000 })

const KEEP = { Connection: 'keep-alive' }
let one: RecordingServer
let two: RecordingServer
let balancer: RunningBalancer

const portOf = (server: Server): number => (server.address() as AddressInfo).port
const { KEY, CERT } = certificate()

let gone: number
let early: Server
let secure: TlsServer
let proxied: Server
const socketPath = join(temporaryFolder(), 'app.sock')
const proxiedHeads: Buffer[] = []

function configOf(): BalancerConfig {
  const ca = join(temporaryFolder(), 'ca.pem')
  writeFileSync(ca, CERT)
  const https = `https://localhost:${portOf(secure)}`
  const { pools, routes } = upstreamPools({
    one: { servers: [urlOf(one.port)] },
    both: { servers: [urlOf(one.port), urlOf(two.port)], stripPrefix: '/both' },
    early: { servers: [urlOf(portOf(early))] },
    none: { servers: [urlOf(gone)] },
    trusting: { servers: [https], ca, host: 'upstream' },
    strict: { servers: [https] },
    unix: { servers: [`unix:${socketPath}`], host: 'upstream' },
    proxied: { servers: [urlOf(portOf(proxied))], proxyProtocol: true },
    sticky: { servers: [urlOf(one.port), urlOf(two.port)] },
  })
  const others = routes.filter(({ pool }) => pool !== 'sticky' && pool !== 'both')
  return {
    app: 'slot-app.mjs',
    pools: { web: { workers: 1 }, ...pools },
    routes: [
      ...others,
      { path: '/both/*', pool: 'both', policy: 'round-robin' },
      { path: '/sticky/*', pool: 'sticky', policy: { sticky: { by: 'ticket' } } },
    ],
  }
}

async function listen<S extends Server>(server: S): Promise<S> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  atSuiteEnd(() => void server.close())
  return server
}

test.before(async () => {
  one = await RecordingServer.start()
  two = await RecordingServer.start()
  gone = await freePort()
  early = await listen(
    createServer((socket) => {
      socket.on('error', () => {})
      socket.once('data', () => socket.write('HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig'))
    }),
  )
  const answer = (request: IncomingMessage, response: ServerResponse) =>
    void response.end((request.socket as TLSSocket & { servername?: string }).servername)
  secure = await listen(createTlsServer({ key: KEY, cert: CERT }, answer))
  proxied = await listen(
    createServer((socket) => {
      socket.once('data', (bytes) => {
        proxiedHeads.push(bytes)
        socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
      })
    }),
  )
  const overUnix = createHttpServer((request, response) => void response.end(`${request.headers.host} ${request.url}`))
  await new Promise<void>((resolve) => overUnix.listen(socketPath, resolve))
  atSuiteEnd(() => {
    overUnix.closeAllConnections()
    overUnix.close()
  })
  balancer = await startBalancer({ config: configOf() })
  await balancer.untilAllReady()
})

test.before.each(() => {
  for (const server of [one, two]) {
    server.clear()
    server.answer = ok
  }
})

test.after(async () => assert.is(await balancer.stop(), 0))

test('one connection goes to workers and to upstream servers, by the routes', async () => {
  const client = new RawClient(balancer.port)
  const bodies: string[] = []
  for (const url of ['/one/a', '/', '/both/b', '/one/c']) bodies.push((await client.write(get(url, KEEP)).answer()).body.toString())
  client.destroy()
  assert.equal([bodies[0], bodies[2], bodies[3]], ['ok', 'ok', 'ok'])
  assert.is.not(bodies[1], 'ok')
  assert.equal([...one.requests, ...two.requests].map(({ target }) => target).sort(), ['/b', '/one/a', '/one/c'])
})

test('fields of the connection are removed, and the client is named', async () => {
  const spoofed = { 'X-Forwarded-For': '6.6.6.6', X_Forwarded_For: '6.6.6.6', Forwarded: 'for=6.6.6.6', 'X-Real-IP': '6.6.6.6' }
  await exchange(
    balancer.port,
    get('/one/fields', { Connection: 'close, X-Secret', 'X-Secret': '1', 'Keep-Alive': 'timeout=1', TE: 'trailers', ...spoofed }),
  )
  const [{ fields = [] } = {}] = one.requests
  assert.equal(fields, [
    ['Host', 'test'],
    ['X-Forwarded-For', '127.0.0.1'],
    ['X-Forwarded-Proto', 'http'],
    ['X-Forwarded-Host', 'test'],
    ['Forwarded', 'for=127.0.0.1;host=test;proto=http'],
    ['Via', '1.1 switchyard-one'],
    ['Connection', 'keep-alive'],
  ])
})

test('bodies, trailers and interim answers pass in both directions', async () => {
  one.answer = (_request, socket) => {
    socket.write('HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\r\n')
    socket.write(
      'HTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\nX-D: 1\r\nX-D: 2\r\nConnection: X-Hop\r\nX-Hop: 1\r\n\r\n',
    )
    socket.write('2\r\nok\r\n0\r\nX-T: 1\r\nHost: evil\r\n\r\n')
  }
  const client = new RawClient(balancer.port)
  client.write(
    'POST /one/t HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n5\r\nhello\r\n0\r\nX-T: 1\r\nHost: evil\r\n\r\n',
  )
  const hint = await client.answer()
  assert.equal([hint.status, hint.headers.get('link'), hint.headers.get('x-hop')], [103, ['</a.css>'], undefined])
  const { status, headers, body } = await client.answer()
  assert.equal([status, body.toString(), headers.get('x-d'), headers.get('x-hop')], [200, 'ok', ['1', '2'], undefined])
  assert.match(headers.get('trailers')?.[0] ?? '', /^X-T: 1$/)
  client.destroy()
  const [request] = one.requests
  assert.equal([request?.body, request?.trailers], ['hello', [['X-T', '1']]])
})

test('the server decides whether a client with Expect may send its body', async () => {
  const client = new RawClient(balancer.port)
  const head = 'POST /one/expect HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n'
  assert.is((await client.write(head).answer()).status, 100)
  assert.is((await client.write('hello').answer()).status, 200)
  assert.is(one.requests[0]?.body, 'hello')
  client.destroy()
})

test('an answer before the end of an upload reaches the client, and the connection to the server is not used again', async () => {
  const client = new RawClient(balancer.port)
  client.write('POST /early/ HTTP/1.1\r\nHost: test\r\nContent-Length: 10000000\r\n\r\nhello')
  const { status, body } = await client.answer()
  assert.equal([status, body.toString()], [413, 'big'])
  client.destroy()
  await until(async () => new Promise((resolve) => early.getConnections((_error, count) => resolve(count === 0))), 5_000, 'no connection')
})

test('websockets pass every byte, and bytes behind a refused upgrade reach no server', async () => {
  const upgrade = (path: string): string => get(path, { Connection: 'Upgrade', Upgrade: 'websocket' })
  one.answer = (request, socket) => {
    if (request.target === '/one/ws')
      socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nfirst')
    else socket.end('HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno')
  }
  const client = new RawClient(balancer.port)
  client.write(`${upgrade('/one/ws')}behind`)
  assert.is((await client.answer()).status, 101)
  assert.is((await client.bytes(11)).toString(), 'firstbehind')
  client.write('more')
  assert.is((await client.bytes(4)).toString(), 'more')
  client.destroy()
  await until(() => one.open.size <= 1, 5_000, 'the end of the websocket at the server')

  const refused = new RawClient(balancer.port)
  const { status, body } = await refused.write(`${upgrade('/one/no')}${get('/smuggled')}`).answer()
  assert.equal([status, body.toString()], [403, 'no'])
  await refused.over()
  refused.destroy()
  assert.not.ok(one.requests.some(({ target }) => target === '/smuggled'))
  assert.is((await exchange(balancer.port, get('/one/x', { Connection: 'Upgrade', Upgrade: 'h2c' }))).status, 501)
  assert.is((await exchange(balancer.port, upgrade('/none/ws'))).status, 502)
})

test('a client that hangs up ends its request at the server', async () => {
  one.answer = () => {}
  const before = one.open.size
  const client = new RawClient(balancer.port).write(get('/one/hold'))
  await until(() => one.requests.length === 1, 5_000, 'the request')
  client.destroy()
  await until(() => one.open.size <= before, 5_000, 'the end of the connection')
})

test('a server on a unix socket', async () => {
  for (let count = 0; count < 2; count++) assert.is((await exchange(balancer.port, get('/unix/a'))).body.toString(), 'localhost /unix/a')
})

test('https servers are verified, by their own authority if one is given', async () => {
  let connections = 0
  secure.on('secureConnection', () => connections++)
  for (let count = 0; count < 3; count++) assert.is((await exchange(balancer.port, get('/trusting/'))).body.toString(), 'localhost')
  assert.is(connections, 1)
  const refused = await exchange(balancer.port, get('/strict/'))
  assert.equal([refused.status, refused.body.toString()], [502, '502 Bad Gateway (tls-failed)\n'])
  secure.closeAllConnections()
})

test('the PROXY protocol names the client to the server', async () => {
  assert.is((await exchange(balancer.port, get('/proxied/'))).status, 200)
  const [bytes = Buffer.alloc(0)] = proxiedHeads
  assert.is(bytes.subarray(0, 12).toString('latin1'), '\r\n\r\n\0\r\nQUIT\n')
  assert.equal([...bytes.subarray(12, 24)], [0x21, 0x11, 0, 12, 127, 0, 0, 1, 127, 0, 0, 1])
})

test('a ticket brings a client back to its server', async () => {
  one.answer = (_request, socket) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none')
  two.answer = (_request, socket) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntwo')
  const first = await exchange(balancer.port, get('/sticky/a'))
  const cookie = first.headers.get('set-cookie')?.[0]?.split(';', 1)[0] ?? ''
  assert.match(cookie, /^switchyard-sticky=/)
  for (let count = 0; count < 6; count++) {
    const again = await exchange(balancer.port, get('/sticky/a', { Cookie: cookie }))
    assert.equal([again.body.toString(), again.headers.get('set-cookie')], [first.body.toString(), undefined])
  }
})

test('what the servers do is part of the metrics', async () => {
  await exchange(balancer.port, get('/one/counted'))
  const line = new RegExp(`upstream_requests_total\\{.*server="${urlOf(one.port)}"`)
  await until(async () => line.test(await balancer.metrics()), 5_000, `${line} in the metrics`)
})

test.run()
