// Attacks over HTTP/2: they are bounded and counted, end no worker, and others are served. What others notice is measured in soak/.

import { constants } from 'node:http2'
import { assert, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { attacks } from '../fixtures/http2-attacker.ts'
import { runAttack, sessionsToAll, workerPids } from './support/http2-attack-run.ts'
import { Http2Client } from './support/http2-client.ts'
import { sumOf } from './support/metric-page.ts'
import { END_HEADERS, END_STREAM, frame, RawHttp2, request, setting, types } from './support/raw-http2.ts'
import { type RunningBalancer, startBalancer } from './support/running-balancer.ts'

const test = suite('attacks over HTTP/2', { timeoutMs: 120_000 })
const ATTACK_MS = 500
const UNKNOWN = 0x20
const MAX_MEMORY_MIB = 400

let terminated: RunningBalancer
let own: RunningBalancer

test.before(async () => {
  const listen = { host: '127.0.0.1', port: 0, http2: { sendTimeoutMs: 500, maxControlBytesPerSecond: 1024 } }
  ;[terminated, own] = await Promise.all([
    startBalancer({ config: { app: 'http2-app.mjs', pools: { web: { workers: 1 } }, listen, accessLog: {} } }),
    startBalancer({ config: { app: 'http2-own-app.mjs', pools: { web: { workers: 1 } }, accessLog: {} } }),
  ])
})
test.after(async () => assert.equal(await Promise.all([terminated.stop(), own.stop()]), [0, 0]))

for (const what of ['HTTP/2 that ends in a worker', "an app's own server"] as const)
  test(`${Object.keys(attacks).length} attacks at once, against ${what}: no worker ends, and others are served`, async () => {
    const balancer = what === "an app's own server" ? own : terminated
    const { port } = balancer
    const before = await workerPids(balancer)
    const [client] = (await sessionsToAll(port, 1)) as [Http2Client]
    let isOver = false
    const attack = runAttack({ pids: before, port, attacks: Object.keys(attacks), connections: 1, ms: ATTACK_MS }).finally(() => {
      isOver = true
    })
    while (!isOver) assert.is((await client.get('/hello')).status, 200)
    const { opened, memoryMiB } = await attack
    assert.ok(opened >= Object.keys(attacks).length)
    assert.ok(memoryMiB < MAX_MEMORY_MIB, `${memoryMiB} MiB`)
    assert.equal(await workerPids(balancer), before)
    client.close()
  })

test('what a client sends beyond its requests is bounded and counted', async () => {
  // Node itself bounds PING and SETTINGS, which it has to answer.
  const frames = Buffer.concat(Array.from({ length: 10_000 }, () => frame(UNKNOWN, 0, 0, Buffer.alloc(8))))
  const isCounted = async (): Promise<boolean> => sumOf(await terminated.metrics(), 'http2_ended_total', /reason="control-bytes"/) > 0
  let flood = new RawHttp2(terminated.port).begin()
  await until(async () => {
    if (!flood.hasEnded) {
      if (flood.socket.writableLength === 0) flood.send(frames)
      return false
    }
    const goaway = flood.frames.find(({ type }) => type === types.goaway)
    // Of a connection that is reset the last bytes may be lost.
    if (goaway !== undefined) assert.is(goaway.content.readUInt32BE(4), constants.NGHTTP2_ENHANCE_YOUR_CALM)
    if (await isCounted()) return true
    // The count comes a moment later, or a limit of Node's own was met first.
    flood = new RawHttp2(terminated.port).begin()
    return false
  }, 20_000)
})

test('a client that does not accept its response is counted', async () => {
  const head = frame(types.headers, END_STREAM | END_HEADERS, 1, request('/big?bytes=1000000'))
  const stalled = new RawHttp2(terminated.port).begin().send(setting(4, 0), head)
  await until(() => stalled.frames.some(({ type, stream }) => type === types.reset && stream === 1))
  stalled.socket.destroy()
  await untilCounted('stalled')
})

test("a client that resets its streams does not end the worker of an app's own server", async () => {
  const before = await workerPids(own)
  const client = new Http2Client(`http://127.0.0.1:${own.port}`)
  const streams = Array.from({ length: 20 }, () => client.open('/hold'))
  await Promise.all(
    streams.map(async (stream, index) => {
      await until(() => stream.id !== undefined)
      if (index % 2 === 0) stream.close(8)
    }),
  )
  assert.is((await client.get('/hello')).status, 200)
  client.close()
  const other = new Http2Client(`http://127.0.0.1:${own.port}`)
  assert.is((await other.get('/hello')).status, 200)
  other.close()
  assert.equal(await workerPids(own), before)
})

async function untilCounted(reason: string): Promise<void> {
  await until(async () => sumOf(await terminated.metrics(), 'http2_ended_total', new RegExp(`reason="${reason}"`)) > 0, 20_000, reason)
}

test.run()
