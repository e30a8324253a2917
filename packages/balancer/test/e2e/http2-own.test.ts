// Apps that speak HTTP/2 themselves: each stream finds its worker, to and from pools whose app has a plain server.

import { readFileSync } from 'node:fs'
import { constants } from 'node:http2'
import { join } from 'node:path'
import { assert, suite } from '../../../../test/suite.ts'
import { freePort } from '../../../../test/support/ports.ts'
import { until, untilEvent } from '../../../../test/support/until.ts'
import { makeCertificate } from '../support/certificate-maker.ts'
import { answerTo, Http2Client } from './support/http2-client.ts'
import { type RunningBalancer, startBalancer, temporaryFolder } from './support/running-balancer.ts'
import { TlsClient } from './support/tls-client.ts'

const test = suite('HTTP/2 of the app', { timeoutMs: 60_000 })
const folder = temporaryFolder()
const logs = join(folder, 'logs')
const site = makeCertificate(folder, 'site', { names: ['localhost'] })
let balancer: RunningBalancer
let secure: Http2Client
let plain: Http2Client
let mixed: Http2Client
let securePort: number

interface Seen {
  readonly worker: string
  readonly remoteAddress: string
  readonly remotePort: number
  readonly encrypted: boolean | null
  readonly alpnProtocol: string
  readonly sessionEncrypted: boolean | null
  readonly [field: string]: unknown
}

test.before(async () => {
  const [first, second, third] = (await Promise.all([freePort(), freePort(), freePort()])) as [number, number, number]
  securePort = first
  const host = '127.0.0.1'
  balancer = await startBalancer({
    config: {
      app: 'own-http2-app.mjs',
      pools: { own: { workers: 1 }, other: { workers: 1 }, web: { workers: 1, app: 'http2-app.mjs' } },
      routes: [
        { path: '/other/*', pool: 'other' },
        { path: '/api/*', pool: 'web' },
        { listener: third, pool: 'web' },
        { path: '/*', pool: 'own' },
      ],
      logs: { folder: logs },
      accessLog: {},
      listen: [first, second, third].map((port) => ({ host, port, http2: true })),
    },
    env: { CERT: site.cert, KEY: site.key, SECURE_PORT: String(first), PLAIN_PORT: String(second) },
  })
  await balancer.untilAllReady()
  secure = new Http2Client(`https://127.0.0.1:${first}`)
  plain = new Http2Client(`http://127.0.0.1:${second}`)
  mixed = new Http2Client(`http://127.0.0.1:${third}`)
})

test('over TLS, with the compatibility interface', async () => {
  for (const pool of ['own', 'other']) {
    const { status, body } = await secure.post(`/${pool}/seen`, 'abc', { 'x-one': '1' }, { 'x-trailer': 'yes' })
    assert.is(status, 200)
    assert.equal(JSON.parse(body), {
      ...{ worker: `${pool}/0`, remoteAddress: '127.0.0.1', remotePort: secure.session.socket.localPort, encrypted: true },
      ...{ alpnProtocol: 'h2', sessionEncrypted: true, httpVersion: '2.0', url: `/${pool}/seen`, host: `127.0.0.1:${securePort}` },
      ...{ body: 'abc', trailers: { 'x-trailer': 'yes' }, aborted: false },
    })
  }
  const old = await TlsClient.open(securePort, { ALPNProtocols: ['http/1.1'] })
  assert.is((await old.getJson<Seen>('/own/seen')).httpVersion, '1.1')
  assert.is((await old.getJson<Seen>('/other/seen')).worker, 'other/0')
  old.destroy()
})

test('without TLS, as streams: interim answers, repeated fields, trailers', async () => {
  for (const pool of ['own', 'other']) {
    const { status, interim, headers, trailers, body } = await plain.get(`/${pool}/seen`)
    assert.equal(
      [pool, status, interim, headers['x-many'], headers['set-cookie'], trailers['x-end']],
      [pool, 201, [103], 'a, b', ['c=1', 'd=2'], 'yes'],
    )
    const { worker, remotePort, encrypted, alpnProtocol } = JSON.parse(body) as Seen
    assert.equal([worker, remotePort, encrypted], [`${pool}/0`, plain.session.socket.localPort, null])
    assert.ok(pool === 'own' || alpnProtocol === 'h2c')
  }
})

test('a stream that the app resets, and one that the client resets', async () => {
  for (const pool of ['own', 'other']) {
    assert.is((await plain.get(`/${pool}/refuse`)).rstCode, constants.NGHTTP2_ENHANCE_YOUR_CALM)
    const held = plain.open(`/${pool}/hold`, {}, true)
    const answer = answerTo(held)
    await plain.get(`/${pool}/seen`)
    held.close(constants.NGHTTP2_CANCEL)
    assert.is((await answer).rstCode, constants.NGHTTP2_CANCEL)
  }
  await balancer.untilStatus(
    ({ pools }) => pools.every(({ workers }) => workers.every(({ load }) => load.inFlight === 0)),
    'no streams in flight',
  )
})

test('one connection reaches an app with a plain server, and from there the app that speaks HTTP/2', async () => {
  for (const client of [secure, plain]) {
    const { status, headers, body } = await client.post('/api/body', 'abc')
    assert.equal([status, headers['x-worker']], [200, 'web/0'], body)
    const { alpn, encrypted, remotePort } = await client.json<{ alpn: string; encrypted: boolean | null; remotePort: number }>('/api/seen')
    assert.equal(
      [alpn, encrypted, remotePort],
      [client === secure ? 'h2' : 'h2c', client === secure ? true : null, client.session.socket.localPort],
    )
  }
  assert.is((await mixed.get('/hello')).headers['x-worker'], 'web/0')
  assert.is((await mixed.json<Seen>('/other/seen')).worker, 'other/0')
})

test('a connection that closes takes its forwarded streams along', async () => {
  const one = new Http2Client(`http://127.0.0.1:${plain.session.socket.remotePort}`)
  one.open('/other/hold', {}, true)
  await one.get('/other/seen')
  one.session.destroy()
  await untilEvent(one.session, 'close').catch(() => {})
  await balancer.untilStatus(
    ({ pools }) => pools.every(({ workers }) => workers.every(({ load }) => load.inFlight === 0)),
    'no streams in flight',
  )
})

test('streams are in the access log, in the worker that served them', async () => {
  for (const path of ['/own/logged', '/other/logged']) await plain.get(path)
  const lines = await until(() => {
    const found = readFileSync(join(logs, 'access.log'), 'utf8')
      .split('\n')
      .filter((text) => text.includes('logged'))
    return found.length === 2 ? found : undefined
  })
  for (const line of lines) assert.match(line, /^127\.0\.0\.1 .*"GET \/(?:own|other)\/logged HTTP\/2\.0" 201 /)
})

test.run()
