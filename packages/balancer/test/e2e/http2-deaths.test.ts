// Streams of HTTP/2 whose worker dies, and forwarded streams that are broken off on either side.

import { constants } from 'node:http2'
import { connect } from 'node:net'
import { assert, suite } from '../../../../test/suite.ts'
import { until, untilEvent } from '../../../../test/support/until.ts'
import { answerTo, Http2Client } from './support/http2-client.ts'
import { type RunningBalancer, startBalancer } from './support/running-balancer.ts'

const test = suite('workers that die with streams', { timeoutMs: 90_000 })
const PART = Buffer.alloc(1000, 'a')
let balancer: RunningBalancer
let client: Http2Client

test.before(async () => {
  balancer = await startBalancer({
    config: {
      app: 'http2-app.mjs',
      pools: { web: { workers: 1 }, api: { workers: 1 }, pair: { workers: 2 } },
      routes: [
        { path: '/api/*', pool: 'api' },
        { path: '/pair/*', pool: 'pair', policy: { sticky: { by: { header: 'x-visitor' }, breakAt: 1000 } } },
        { path: '/*', pool: 'web' },
      ],
      listen: { host: '127.0.0.1', port: 0, http2: true },
    },
  })
  await balancer.untilAllReady()
  client = new Http2Client(`http://127.0.0.1:${balancer.port}`)
})
test.after(async () => {
  client.close()
  assert.is(await balancer.stop(), 0)
})

async function untilNoneIsHeld(): Promise<void> {
  for (const path of ['/held', '/api/held']) await until(async () => (await client.json<{ held: number }>(path)).held === 0)
}

async function pidOf(path: string): Promise<number> {
  const { headers } = await until(async () => {
    const answer = await client.get(path)
    return answer.status === 200 ? answer : undefined
  }, 20_000)
  return Number(headers['x-pid'])
}

test('a stream that had not begun goes to another worker', async () => {
  const visitor = { 'x-visitor': 'a' }
  const pid = Number((await client.get('/pair/hello', visitor)).headers['x-pid'])
  process.kill(pid, 'SIGSTOP')
  const waiting = [client.get('/pair/hello', visitor), client.get('/pair/hello', visitor)]
  // Streams of the same client that do not need that worker are served meanwhile.
  for (let count = 0; count < 5; count++) assert.is((await client.get('/hello')).status, 200)
  process.kill(pid, 'SIGKILL')
  for (const { status, headers } of await Promise.all(waiting)) {
    assert.is(status, 200)
    assert.not.equal(Number(headers['x-pid']), pid)
  }
})

test('a stream that had begun is answered 502, and not sent twice', async () => {
  const pid = await pidOf('/api/hello')
  const dying = client.open('/api/hold', { ':method': 'POST' })
  const answer = answerTo(dying)
  dying.write(PART)
  await until(async () => (await client.json<{ held: number }>('/api/held')).held === 1)
  process.kill(pid, 'SIGKILL')
  await untilEvent(dying, 'response')
  dying.end()
  assert.is((await answer).status, 502)
  assert.not.equal(await pidOf('/api/hello'), pid)
  assert.is((await client.json<{ held: number }>('/api/held')).held, 0)
})

test('a stream whose response had begun is reset, so that the part does not look whole', async () => {
  const pid = await pidOf('/api/hello')
  const big = client.open('/api/big?bytes=50000000', {}, true)
  await untilEvent(big, 'response')
  process.kill(pid, 'SIGKILL')
  big.resume()
  await untilEvent(big, 'close').catch(() => {})
  assert.is(big.rstCode, constants.NGHTTP2_INTERNAL_ERROR)
  await pidOf('/api/hello')
})

test('a client that breaks off a forwarded stream breaks it off in the other worker', async () => {
  await pidOf('/api/hello')
  const before = await client.json<{ held: number; aborted: number }>('/api/held')
  const streams = [client.open('/api/hold', {}, true), client.open('/api/hold', { ':method': 'POST' })]
  await until(async () => (await client.json<{ held: number }>('/api/held')).held === before.held + 2)
  for (const stream of streams) stream.close(constants.NGHTTP2_CANCEL)
  await until(async () => {
    const { held, aborted } = await client.json<{ held: number; aborted: number }>('/api/held')
    return held === before.held && aborted === before.aborted + 2
  })
})

test('the worker of the connection dies: the client opens another one', async () => {
  const pid = await pidOf('/hello')
  const held = client.open('/api/hold', {}, true)
  await until(async () => (await client.json<{ held: number }>('/api/held')).held === 1)
  process.kill(pid, 'SIGKILL')
  await until(() => client.session.destroyed && held.destroyed)
  // Until its successor is ready, new connections get GOAWAY without an error: the client may try again.
  await until(async () => {
    client.close()
    client = new Http2Client(`http://127.0.0.1:${balancer.port}`)
    const { status, headers } = await client.get('/hello')
    assert.equal(client.faults, [])
    return status === 200 && Number(headers['x-pid']) !== pid
  }, 20_000)
  await untilNoneIsHeld()
})

test('a client that ends its connection takes its streams along', async () => {
  await pidOf('/api/hello')
  const socket = connect(balancer.port, '127.0.0.1')
  const leaving = new Http2Client(`http://127.0.0.1:${balancer.port}`, { createConnection: () => socket })
  for (const path of ['/hold', '/api/hold']) leaving.open(path, {}, true)
  for (const path of ['/held', '/api/held']) await until(async () => (await client.json<{ held: number }>(path)).held === 1)
  socket.end()
  await untilNoneIsHeld()
})

test.run()
