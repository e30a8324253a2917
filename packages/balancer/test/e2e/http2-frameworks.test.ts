// Unmodified apps of the usual frameworks, behind HTTP/2 that ends in their worker.

import { createHash, randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { constants } from 'node:http2'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { assert, suite } from '../../../../test/suite.ts'
import { freePort } from '../../../../test/support/ports.ts'
import { untilEvent } from '../../../../test/support/until.ts'
import { makeCertificate } from '../support/certificate-maker.ts'
import { Http2Client } from './support/http2-client.ts'
import { startBalancer, temporaryFolder } from './support/running-balancer.ts'

const test = suite('frameworks over HTTP/2', { timeoutMs: 60_000 })
const FRAMEWORKS = ['express', 'fastify', 'koa', 'hono']
const BODY = randomBytes(300_000)
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')
const folder = temporaryFolder()
const asset = join(folder, 'asset.bin')
writeFileSync(asset, BODY)
const clients = new Map<string, Http2Client>()

test.before(async () => {
  const tls = makeCertificate(folder, 'site', { names: ['localhost'] })
  const ports = await Promise.all(FRAMEWORKS.map(() => freePort()))
  const balancer = await startBalancer({
    env: { ASSET: asset },
    config: {
      pools: Object.fromEntries(FRAMEWORKS.map((name) => [name, { app: `frameworks/${name}.mjs`, workers: 1 }])),
      routes: FRAMEWORKS.map((name, index) => ({ listener: ports[index] as number, path: '/*', pool: name })),
      listen: ports.map((port) => ({ host: '127.0.0.1', port, tls, http2: true })),
    },
  })
  for (const [index, name] of FRAMEWORKS.entries()) clients.set(name, new Http2Client(`https://127.0.0.1:${ports[index]}`))
  await balancer.untilAllReady()
})

for (const name of FRAMEWORKS) {
  const client = (): Http2Client => clients.get(name) as Http2Client

  test(`${name}: queries, cookies in several fields, and JSON`, async () => {
    const { query, cookie } = await client().json<{ query: object; cookie: string }>('/query?a=b%20c', { cookie: ['x=1', 'y=2'] })
    assert.equal([{ ...query }, cookie], [{ a: 'b c' }, 'x=1; y=2'])
    const answer = await client().post('/json', '{"one":1}', { 'content-type': 'application/json' })
    assert.equal([answer.status, JSON.parse(answer.body)], [201, { one: 1 }])
    assert.equal(
      [(await client().get('/cookies')).headers['set-cookie']].flat().map((field) => field?.slice(0, 3)),
      ['a=1', 'b=2'],
    )
  })

  test(`${name}: uploads with and without a length, several at a time`, async () => {
    const type = { 'content-type': 'application/octet-stream' }
    const all = [type, { ...type, 'content-length': BODY.length }, { ...type, expect: '100-continue' }, type, type]
    for (const { status, body } of await Promise.all(all.map((headers) => client().post('/upload', BODY, headers)))) {
      assert.equal([status, JSON.parse(body)], [200, { bytes: BODY.length, sha256: sha256(BODY) }])
    }
  })

  test(`${name}: server-sent events come one by one`, async () => {
    const stream = client().open('/events', {}, true)
    const parts: string[] = []
    stream.setEncoding('utf8').on('data', (part: string) => parts.push(part))
    const [fields] = (await untilEvent(stream, 'response')) as [Record<string, string>]
    assert.match(fields['content-type'] ?? '', 'text/event-stream')
    await untilEvent(stream, 'end')
    assert.is(parts.join(''), 'data: 1\n\ndata: 2\n\ndata: 3\n\n')
    assert.ok(parts.length > 1, 'more than one DATA frame')
  })

  test(`${name}: a file, a part of it, HEAD and 304`, async () => {
    const whole = await client().get('/file')
    assert.equal([whole.status, whole.sha256], [200, sha256(BODY)])
    const part = await client().get('/file', { range: 'bytes=100-199' })
    assert.equal([part.status, part.sha256, part.headers['content-length']], [206, sha256(BODY.subarray(100, 200)), '100'])
    const head = await client().get('/file', { ':method': 'HEAD' })
    assert.equal([head.status, head.body], [200, ''])
    const fresh = await client().get('/file', { 'if-none-match': String(whole.headers.etag) })
    assert.equal([fresh.status, fresh.body, fresh.rstCode], [304, '', 0])
  })

  test(`${name}: early hints`, async () => {
    const { interim, body } = await client().get('/hints')
    assert.equal([interim, body], [[103], 'hinted'])
  })

  test(`${name}: an error before the response, and one in the middle of it`, async () => {
    assert.is((await client().get('/throw')).status, 500)
    const broken = await client().get('/break')
    assert.equal([broken.body, broken.rstCode], ['a part', constants.NGHTTP2_INTERNAL_ERROR])
    assert.is((await client().get('/query')).status, 200, 'the connection goes on')
  })
}

test('hono: a compressed response', async () => {
  const { headers, body } = await (clients.get('hono') as Http2Client).get('/compressed', { 'accept-encoding': 'gzip' })
  assert.is(headers['content-encoding'], 'gzip')
  assert.is(gunzipSync(Buffer.from(body, 'latin1')).toString(), 'compress me '.repeat(1000))
})

test.run()
