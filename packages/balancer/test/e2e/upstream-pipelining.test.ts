// Pipelined requests of a client reach upstream servers one after another (RFC 9112 §9.3.2).

import { assert, suite } from '../../../../test/suite.ts'
import { ok, RecordingServer } from '../../../../test/support/recording-server.ts'
import { until } from '../../../../test/support/until.ts'
import { get, RawClient } from './support/raw-client.ts'
import { type RunningBalancer, startBalancer } from './support/running-balancer.ts'

const test = suite('upstream pipelining', { timeoutMs: 60_000 })

const KEEP = { Connection: 'keep-alive' }
const POST = 'POST /post HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\n\r\nx'
let server: RecordingServer
let balancer: RunningBalancer

test.before(async () => {
  server = await RecordingServer.start()
  balancer = await startBalancer({ config: { pools: { up: { workers: 1, upstream: [`http://127.0.0.1:${server.port}`] } } } })
  await balancer.untilAllReady()
})

test.after(async () => assert.is(await balancer.stop(), 0))

test('each request reaches the server after the answer to the one before it', async () => {
  const held: (() => void)[] = []
  server.answer = (request, socket) => void held.push(() => ok(request, socket))
  const client = new RawClient(balancer.port)
  // A second connection shows that the server would have got a request that does not wait.
  const other = new RawClient(balancer.port)
  client.write(`${POST}${get('/get', KEEP)}${POST}`)
  for (let count = 1; count <= 3; count++) {
    await until(() => held.length === 1, 5_000, 'the request alone')
    await until(() => server.requests.filter(({ target }) => target !== '/other').length >= count, 5_000, 'the request')
    other.write(get('/other', KEEP))
    await until(() => held.length === 2, 5_000, 'the other request')
    assert.equal(
      server.requests.filter(({ target }) => target !== '/other').map(({ target }) => target),
      ['/post', '/get', '/post'].slice(0, count),
    )
    for (const answer of held.splice(0)) answer()
    assert.is((await other.answer()).status, 200)
    assert.is((await client.answer()).status, 200)
  }
  for (const one of [client, other]) one.destroy()
})

test.run()
