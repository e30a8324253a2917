// The bounds on connections that wait in the primary. A connection over a bound is refused at once, and the others are served.

import { assert, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { once } from './support/once.ts'
import { exchange, get, RawClient } from './support/raw-client.ts'
import { RequestHold } from './support/request-hold.ts'
import { fixture, type RunningBalancer, startBalancer } from './support/running-balancer.ts'

const test = suite('limits', { timeoutMs: 25_000 })

function pidsOf(balancer: RunningBalancer): Promise<number[]> {
  return balancer.status().then(({ pools }) => pools.flatMap(({ workers }) => workers.map(({ pid }) => pid)))
}

test('without a ready worker: 503 with Retry-After, until a worker is ready again', async () => {
  const balancer = await startBalancer({
    config: { app: 'echo-app.mjs', pools: { web: { workers: 1 } }, restartDelayMs: 4_000, maxRestartDelayMs: 4_000 },
  })
  const [pid] = await pidsOf(balancer)
  process.kill(pid as number, 'SIGKILL')
  await balancer.untilStatus(({ pools }) => pools[0]?.ready === 0, 'no worker')
  const refused = await exchange(balancer.port, get('/'))
  assert.is(refused.status, 503)
  const retryAfterS = Number(refused.headers.get('retry-after')?.[0])
  assert.ok(retryAfterS >= 1 && retryAfterS <= 4, `Retry-After: ${retryAfterS}`)
  await balancer.untilAllReady()
  assert.is((await exchange(balancer.port, get('/'))).status, 200)
  const { connections } = await balancer.status()
  assert.is(connections.refused['no-worker'], 1)
  assert.match(await balancer.metrics(), 'switchyard_connections_refused_total{reason="no-worker"} 1')
  assert.is(await balancer.stop(), 0)
})

test('a policy that picks no worker: the queue is bounded in length and time, and other routes are served', async () => {
  const balancer = await startBalancer({ configFile: fixture('nobody.config.mjs'), env: { QUEUE_TIMEOUT_MS: '2000' } })
  const waiting = Array.from({ length: 5 }, () => new RawClient(balancer.port).write(get('/nobody')))
  const startedAt = performance.now()
  await balancer.untilStatus(({ connections }) => connections.waiting.queue === 5, 'five in the queue')
  const full = await exchange(balancer.port, get('/nobody'))
  assert.is(full.status, 503)
  assert.ok(Number(full.headers.get('retry-after')?.[0]) >= 1)
  assert.is((await exchange(balancer.port, get('/'))).status, 200)
  for (const client of waiting) assert.is((await client.answer()).status, 503)
  const tookMs = performance.now() - startedAt
  assert.ok(tookMs > 1_900, `they waited ${tookMs} ms`)
  const { connections } = await balancer.status()
  assert.is(connections.refused['queue-full'], 1)
  assert.is(connections.refused['queue-timeout'], 5)
  for (const client of waiting) client.destroy()
  assert.is(await balancer.stop(), 0)
})

test('connections that wait for a busy worker are served in order when its loop is idle', async () => {
  const pools = { web: { workers: 1, queue: { timeoutMs: 300_000 } } }
  const balancer = await startBalancer({ config: { app: 'echo-app.mjs', pools } })
  const hold = new RequestHold()
  const blocker = exchange(balancer.port, hold.request('/block'))
  await balancer.untilLine(({ msg }) => msg === 'block  begun', 'the block')
  // More connections than can be offered to one worker.
  const clients = Array.from({ length: 200 }, (_, index) => new RawClient(balancer.port).write(get(`/${index}`)))
  await balancer.untilStatus(({ connections }) => connections.waiting.queue > 0, 'a connection in the queue')
  hold.release()
  for (const client of clients) assert.is((await client.answer()).status, 200)
  assert.is((await blocker).status, 200)
  for (const client of clients) client.destroy()
  assert.is(await balancer.stop(), 0)
})

test('clients that hang up leave the queue', async () => {
  const balancer = await startBalancer({ configFile: fixture('nobody.config.mjs'), env: { QUEUE_TIMEOUT_MS: '300000' } })
  const descriptors = balancer.descriptors
  const client = new RawClient(balancer.port).write(get('/nobody'))
  await balancer.untilStatus(({ connections }) => connections.waiting.queue === 1, 'one in the queue')
  client.socket.resetAndDestroy()
  await balancer.untilStatus(({ connections }) => connections.waiting.queue === 0 && connections.closed === 1, 'an empty queue')
  await balancer.untilDescriptors(descriptors)
  assert.is(await balancer.stop(), 0)
})

/** At most 20 incomplete heads, and 10 of each address. */
const startBounded = once(() =>
  startBalancer({
    config: {
      app: 'echo-app.mjs',
      pools: { web: { workers: 1 } },
      maxUnrouted: 20,
      maxUnroutedPerAddress: 10,
      headTimeoutMs: 300_000,
    },
  }),
)

test.after(async () => assert.is(await (await startBounded()).stop(), 0))

test('connections with incomplete heads are bounded in all: 503', async () => {
  const balancer = await startBounded()
  const { port } = balancer
  const from = (localAddress: string) => new RawClient({ port, host: '127.0.0.1', localAddress }).write('GET / HT')
  const refusedBefore = (await balancer.status()).connections.refused['too-many-unrouted']
  const held = Array.from({ length: 20 }, (_, index) => from(index < 10 ? '127.0.0.2' : '127.0.0.3'))
  await balancer.untilStatus(({ connections }) => connections.waiting.head === 20, '20 held')
  const refused = await exchange(balancer.port, 'GET / HT')
  assert.is(refused.status, 503)
  assert.ok(refused.headers.has('retry-after'))
  // A complete head is routed at once.
  assert.is((await exchange(balancer.port, get('/'))).status, 200)
  const [first] = held
  first?.write('TP/1.1\r\nHost: test\r\n\r\n')
  assert.is((await (first as RawClient).answer()).status, 200)
  await balancer.untilStatus(({ connections }) => connections.waiting.head === 19, '19 held')
  const again = from('127.0.0.2')
  await balancer.untilStatus(({ connections }) => connections.waiting.head === 20, '20 held again')
  assert.is((await balancer.status()).connections.refused['too-many-unrouted'], refusedBefore + 1)
  for (const client of [...held, again]) client.destroy()
  await balancer.untilStatus(({ connections }) => connections.waiting.head === 0, 'no incomplete head')
})

test('connections with incomplete heads are bounded per address: 429, and another address is served', async () => {
  const balancer = await startBounded()
  const { port } = balancer
  const from = (localAddress: string) => new RawClient({ port, host: '127.0.0.1', localAddress }).write('GET / HT')
  const held = Array.from({ length: 10 }, () => from('127.0.0.2'))
  await balancer.untilStatus(({ connections }) => connections.waiting.head === 10, 'ten incomplete heads')
  const refused = from('127.0.0.2')
  const answer = await refused.answer()
  assert.is(answer.status, 429)
  assert.ok(answer.headers.has('retry-after'))
  const other = from('127.0.0.3').write('TP/1.1\r\nHost: test\r\n\r\n')
  assert.is((await other.answer()).status, 200)
  held[0]?.destroy()
  await balancer.untilStatus(({ connections }) => connections.waiting.head === 9, 'nine incomplete heads')
  held.push(from('127.0.0.2'))
  await balancer.untilStatus(({ connections }) => connections.waiting.head === 10, 'ten incomplete heads again')
  for (const client of [...held, refused, other]) client.destroy()
  await balancer.untilStatus(({ connections }) => connections.waiting.head === 0, 'no incomplete head')
})

test('accepting pauses at 90 % of the descriptors and resumes, and a killed worker is replaced meanwhile', async () => {
  const limit = 160
  const balancer = await startBalancer({
    config: { app: 'echo-app.mjs', pools: { web: { workers: 2 } }, headTimeoutMs: 300_000, restartDelayMs: 50 },
    descriptorLimit: limit,
  })
  await balancer.untilAllReady()
  const before = balancer.descriptors
  const held = Array.from({ length: 250 }, () => new RawClient(balancer.port).write('GET / HT'))
  await balancer.untilLine(({ msg }) => msg.startsWith('no connections are accepted for now'), 'the pause')
  // During ten periods of the pause the count stays below the limit, except for descriptors that the primary opens for itself.
  const startedAt = performance.now()
  let most = 0
  await until(() => {
    most = Math.max(most, balancer.descriptors)
    return performance.now() - startedAt > 800
  })
  assert.ok(most <= Math.ceil(limit * 0.9) + 6, `${most} descriptors of ${limit}`)
  const workers = balancer.lines.filter(({ msg }) => /ready after/.test(msg))
  process.kill(workers[0]?.pid as unknown as number, 'SIGKILL')
  await balancer.untilLine(({ msg }) => /was ended by SIGKILL/.test(msg), 'the exit')
  for (const client of held) client.destroy()
  await balancer.untilLine(({ msg }) => msg === 'connections are accepted again', 'the end of the pause')
  assert.is((await exchange(balancer.port, get('/'))).status, 200)
  await balancer.untilAllReady()
  await balancer.untilDescriptors(before)
  assert.is(await balancer.stop(), 0)
})

test.run()
