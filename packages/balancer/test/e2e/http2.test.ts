// HTTP/2 that ends in the workers, in front of an app with a plain server of HTTP/1.1.

import { createHash, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { constants } from 'node:http2'
import { join } from 'node:path'
import { assert, suite } from '../../../../test/suite.ts'
import { until, untilEvent } from '../../../../test/support/until.ts'
import { makeCertificate } from '../support/certificate-maker.ts'
import { answerTo, type Http2Answer, Http2Client } from './support/http2-client.ts'
import { sumOf } from './support/metric-page.ts'
import { get, RawClient } from './support/raw-client.ts'
import { portOf, type RunningBalancer, startBalancer, temporaryFolder } from './support/running-balancer.ts'
import { TlsClient } from './support/tls-client.ts'

const test = suite('HTTP/2', { timeoutMs: 60_000 })
const folder = temporaryFolder()
const logs = join(folder, 'logs')
const site = makeCertificate(folder, 'site', { names: ['localhost'] })
const local = { host: '127.0.0.1', port: 0 }
const BODY = randomBytes(300_000)
const sha256 = (data: Buffer | string): string => createHash('sha256').update(data).digest('hex')
const BODY_SHA256 = sha256(BODY)
const WEBSOCKET = { ':method': 'CONNECT', ':protocol': 'websocket', 'sec-websocket-version': '13' }

interface Seen {
  readonly method: string
  readonly url: string
  readonly httpVersion: string
  readonly rawHeaders: string[]
  readonly encrypted: boolean | null
  readonly servername: string | null
  readonly alpn: string | null
  readonly version: string | null
  readonly remoteAddress: string
  readonly isOwn: boolean
}

let balancer: RunningBalancer
let secure: number
let plain: number
let prior: number
let spread: number
let client: Http2Client

test.before(async () => {
  balancer = await startBalancer({
    config: {
      app: 'http2-app.mjs',
      pools: { web: { workers: 2 }, api: { workers: 1 } },
      routes: [
        { path: '/api/*', pool: 'api' },
        { path: '/sticky/*', pool: 'web', policy: { sticky: { by: { header: 'x-visitor' }, breakAt: 1000 } } },
        { path: '/*', pool: 'web' },
      ],
      logs: { folder: logs },
      accessLog: {},
      listen: [
        { ...local, tls: site, http2: true },
        { ...local, http2: { idleTimeoutMs: 300, sendTimeoutMs: 300, maxResetsPerMinute: 50 } },
        { ...local, protocol: 'http2', http2: { maxConcurrentStreams: 10 } },
        { ...local, http2: { spread: true } },
      ],
    },
  })
  ;[secure, plain, prior, spread] = balancer.addresses.map(portOf) as [number, number, number, number]
  client = new Http2Client(`https://localhost:${secure}`, { lookup: toLoopback } as object)
  await balancer.untilAllReady()
})

/** The name is for the server name alone. */
function toLoopback(_name: string, options: { all?: boolean }, done: (...values: unknown[]) => void): void {
  if (options.all === true) done(null, [{ address: '127.0.0.1', family: 4 }])
  else done(null, '127.0.0.1', 4)
}

test('the app gets a stream as a request of HTTP/1.1 over TLS', async () => {
  const headers = { 'X-One': '1', cookie: ['a=1', 'b=2'], te: 'trailers', 'x-utf8': 'caf\xe9' }
  const seen = await client.json<Seen>('/seen?a=b', headers)
  assert.equal(
    { ...seen, rawHeaders: [] },
    {
      ...{ method: 'GET', url: '/seen?a=b', httpVersion: '1.1', rawHeaders: [], encrypted: true, servername: 'localhost', alpn: 'h2' },
      ...{ version: 'TLSv1.3', remoteAddress: '127.0.0.1', remotePort: client.session.socket.localPort, isOwn: true },
    },
  )
  assert.equal(seen.rawHeaders, [
    ...['host', `localhost:${secure}`, 'x-one', '1', 'te', 'trailers', 'x-utf8', 'caf\xc3\xa9', 'cookie', 'a=1; b=2'],
  ])
})

test('the same port serves HTTP/1.1', async () => {
  const old = await TlsClient.open(secure, { ALPNProtocols: ['http/1.1'] })
  assert.is((await old.getJson<Seen>('/seen')).alpn, 'http/1.1')
  old.destroy()
})

test('without TLS, to clients with prior knowledge', async () => {
  for (const port of [plain, prior]) {
    const one = new Http2Client(`http://127.0.0.1:${port}`)
    const { encrypted, alpn, version, remoteAddress } = await one.json<Seen>('/seen')
    assert.equal({ encrypted, alpn, version, remoteAddress }, { encrypted: null, alpn: 'h2c', version: null, remoteAddress: '127.0.0.1' })
    one.close()
  }
  const old = new RawClient(plain)
  assert.is((await old.write(get('/hello')).answer()).body.toString(), 'hello')
  old.destroy()
})

test('bodies, both ways, with and without a length', async () => {
  for (const pool of ['', '/api'])
    for (const headers of [{}, { 'content-length': BODY.length }]) {
      const answer = await client.post(`${pool}/body`, BODY, headers)
      assert.is((JSON.parse(answer.body) as { body: string }).body, BODY_SHA256)
      const big = await client.get(`${pool}/big?bytes=3000000`)
      assert.is(big.body.length, 3_000_000)
      // Its end comes in a frame of its own, at once.
      const empty = await client.post(`${pool}/chunked`, '')
      assert.is((JSON.parse(empty.body) as { body: string }).body, sha256(''))
    }
})

test('trailers, both ways', async () => {
  for (const pool of ['', '/api']) {
    const answer = await client.post(`${pool}/chunked`, 'abc', { te: 'trailers' }, { 'x-end': 'yes' })
    const { body, trailers } = JSON.parse(answer.body) as { body: string; trailers: object }
    assert.equal([answer.status, trailers, answer.trailers['x-sum']], [201, { 'x-end': 'yes' }, body])
    assert.is(answer.headers['transfer-encoding'], undefined)
  }
})

test('interim answers, HEAD, and answers without a body', async () => {
  for (const pool of ['', '/api']) {
    const hinted = await client.get(`${pool}/hints`)
    assert.equal([hinted.interim, hinted.body], [[103], 'hinted'])
    const expecting = await client.post(`${pool}/body`, 'abc', { expect: '100-continue' })
    assert.equal([expecting.interim, expecting.status], [[100], 200])
    const head = await client.get(`${pool}/big?bytes=1000`, { ':method': 'HEAD' })
    assert.equal([head.headers['content-length'], head.body], ['1000', ''])
    assert.is((await client.get(`${pool}/empty`)).status, 204)
    assert.equal((await client.get(`${pool}/session`)).headers['set-cookie'], ['a=1', 'b=2'])
    assert.is((await client.get(`${pool}/close`)).body, 'closed')
    assert.is((await client.get(`${pool}/until-end`)).body, 'one two')
  }
})

test('an answer that comes before the end of the request', async () => {
  for (const pool of ['', '/api']) {
    const stream = client.open(`${pool}/early`, { ':method': 'POST' })
    const answer = answerTo(stream)
    await untilEvent(stream, 'response')
    stream.end(BODY)
    assert.is((await answer).body, 'early')
  }
})

test('a client that resets a stream, and an app that breaks off', async () => {
  const before = await client.json<{ aborted: number }>('/held')
  const stream = client.open('/hold', {}, true)
  await until(async () => (await client.json<{ held: number }>('/held')).held === 1)
  stream.close(constants.NGHTTP2_CANCEL)
  const after = await until(async () => {
    const now = await client.json<{ held: number; aborted: number }>('/held')
    return now.held === 0 ? now : undefined
  })
  assert.is(after.aborted, before.aborted + 1)
  for (const pool of ['', '/api']) {
    const broken = await client.get(`${pool}/destroy`)
    assert.equal([broken.body, broken.rstCode], ['a part', constants.NGHTTP2_INTERNAL_ERROR])
  }
  assert.is((await client.get('/hello')).body, 'hello')
})

test('each stream finds its pool and its worker', async () => {
  const homes = new Map<string, unknown>()
  const ask = async (index: number): Promise<[string, Http2Answer]> => {
    const visitor = `visitor-${index % 8}`
    if (index % 3 === 0) return ['api', await client.post('/api/body', BODY)]
    return [visitor, await client.post('/sticky/body', `${index}`, { 'x-visitor': visitor })]
  }
  const answers = await Promise.all(Array.from({ length: 120 }, (_, index) => ask(index)))
  for (const [visitor, { status, headers, rstCode }] of answers) {
    const { 'x-worker': worker } = headers
    assert.is(status, 200, `${visitor} ${rstCode}`)
    if (visitor === 'api') assert.is(worker, 'api/0')
    else assert.is(worker, homes.get(visitor) ?? worker)
    homes.set(visitor, worker)
  }
  assert.is(new Set(homes.values()).size, 3, 'both workers of the pool, and the other pool')
  assert.ok(sumOf(await balancer.metrics(), 'switchyard_requests_forwarded_total', /reason="http2"/) > 40)
})

test('a worker that dies with a forwarded stream ends that stream, and no other', async () => {
  const pid = Number((await client.get('/api/hello')).headers['x-pid'])
  const dying = client.get('/api/hold')
  await until(async () => (await client.json<{ held: number }>('/api/held')).held === 1)
  const other = client.open('/body', { ':method': 'POST' })
  const answer = answerTo(other)
  process.kill(pid, 'SIGKILL')
  assert.not.equal([(await dying).status, (await dying).rstCode], [200, 0])
  await until(async () => (await client.get('/api/hello')).status === 200, 10_000, 'its successor')
  other.end('abc')
  assert.is((await answer).status, 200)
})

test('websockets by extended CONNECT, here and in another worker', async () => {
  for (const [pool, worker] of [
    ['', /^web/],
    ['/api', /^api/],
  ] as const) {
    const stream = client.open(`${pool}/socket`, { ...WEBSOCKET, cookie: 'a=b' })
    const [fields] = (await untilEvent(stream, 'response')) as [Record<string, string>]
    assert.equal([fields[':status'], fields['x-saw'], fields.upgrade], [200, `localhost:${secure} a=b`, undefined])
    assert.match(fields['x-worker'] ?? '', worker)
    let echoed = ''
    stream.setEncoding('latin1').on('data', (text: string) => {
      echoed += text
    })
    for (const text of ['hello', ' there']) {
      stream.write(text)
      await until(() => echoed.endsWith(text))
    }
    stream.end()
    await untilEvent(stream, 'close')
    const refused = client.open(`${pool}/refused`, WEBSOCKET)
    const answer = answerTo(refused)
    await untilEvent(refused, 'response')
    refused.end()
    assert.equal([(await answer).status, (await answer).body], [403, 'no'])
  }
})

test('what HTTP/1.1 could misread is refused', async () => {
  const status = async (headers: Record<string, string>) => {
    const one = await client.get('/hello', headers)
    return one.rstCode === constants.NGHTTP2_PROTOCOL_ERROR ? 'protocol error' : one.status
  }
  assert.is(await status({ ':path': '/a b' }), 'protocol error')
  assert.is(await status({ ':path': 'a' }), 'protocol error')
  assert.is(await status({ ':authority': 'a', host: 'b' }), 400)
  assert.is(await status({ ':method': 'CONNECT', ':protocol': 'other' }), 501)
  // Newer versions of Node end the whole connection.
  const liar = new Http2Client(`https://127.0.0.1:${secure}`)
  assert.is((await liar.post('/body', 'more than three', { 'content-length': 3 })).status, 0)
  liar.close()
  assert.is((await client.get('/hello')).body, 'hello')
})

test('with spread, the requests of one connection that block are served by all workers of the pool', async () => {
  const one = new Http2Client(`http://127.0.0.1:${spread}`)
  // The first ones tell the worker that they are heavy.
  await until(async () => {
    const answers = await Promise.all(Array.from({ length: 40 }, () => one.get('/block?ms=20')))
    assert.ok(answers.every(({ status, body }) => status === 200 && body === 'blocked'))
    const first = answers.filter(({ headers }) => headers['x-worker'] === 'web/0').length
    return first >= 12 && first <= 28
  }, 20_000)
  one.close()
})

test('the access log has HTTP/2.0', async () => {
  for (const path of ['/hello?logged', '/api/hello?logged']) await client.get(path)
  const lines = await until(() => {
    const found = readFileSync(join(logs, 'access.log'), 'utf8')
      .split('\n')
      .filter((text) => text.includes('logged'))
    return found.length === 2 ? found : undefined
  })
  for (const line of lines) assert.match(line, /"GET (?:\/api)?\/hello\?logged HTTP\/2\.0" 200 5 /)
})

test('in the end nothing counts as in flight', async () => {
  const isIdle = ({ pools }: Awaited<ReturnType<RunningBalancer['status']>>) =>
    pools.every(({ workers }) => workers.every(({ load }) => load.inFlight === 0))
  await balancer.untilStatus(isIdle, 'no requests in flight')
})

/** Five requests at a time over one connection, and another one when that ends. */
class SteadyClient {
  private readonly port: number
  private readonly faults: string[] = []
  private isStopped = false
  private client: Http2Client | undefined
  private readonly loops: Promise<void>[]

  constructor(port: number) {
    this.port = port
    this.loops = Array.from({ length: 5 }, () => this.loop())
  }

  async stop(): Promise<string[]> {
    this.isStopped = true
    await Promise.all(this.loops)
    this.client?.close()
    return this.faults
  }

  private async loop(): Promise<void> {
    while (!this.isStopped) {
      if (this.client === undefined || this.client.session.closed) this.client = new Http2Client(`https://127.0.0.1:${this.port}`)
      const { status, rstCode } = await this.client.get('/hello')
      // A client on a busy machine may send just when its quiet connection ends. Such a request was not begun, and clients repeat it (RFC 9113 §8.7).
      if (status !== 200 && rstCode !== constants.NGHTTP2_REFUSED_STREAM) this.faults.push(`${status}, reset with ${rstCode}`)
    }
  }
}

test('a reload loses no stream: the client is told to end the connection, and those under way are finished', async () => {
  const one = new Http2Client(`https://127.0.0.1:${secure}`)
  const old = (await one.get('/hello')).headers['x-pid']
  const upload = one.open('/body', { ':method': 'POST' })
  const answer = answerTo(upload)
  upload.write(BODY.subarray(0, 1000))
  await one.get('/hello')
  const steady = [new SteadyClient(secure), new SteadyClient(secure)]
  process.kill(balancer.pid, 'SIGHUP')
  await until(() => one.session.closed, 20_000, 'GOAWAY')
  const next = new Http2Client(`https://127.0.0.1:${secure}`)
  assert.is((await next.get('/hello')).status, 200)
  upload.end(BODY.subarray(1000))
  const { status, headers, body } = await answer
  assert.equal([status, headers['x-pid'], (JSON.parse(body) as { body: string }).body], [200, old, BODY_SHA256])
  await until(() => one.session.destroyed)
  await balancer.untilLine(({ msg }) => /^reload: \d+ workers/.test(msg), 'the end of the reload', 20_000)
  for (const loop of steady) assert.equal(await loop.stop(), [])
  assert.equal([one.faults, next.faults], [[], []])
  one.close()
  next.close()
})

test('an app that closes its server ends the connections, as it does those of HTTP/1.1', async () => {
  const one = new Http2Client(`https://127.0.0.1:${secure}`)
  assert.is((await one.get('/close-server')).body, 'closing')
  await until(() => one.session.destroyed, 10_000, 'the end of the connection')
  assert.equal(one.faults, [])
})

test.run()
