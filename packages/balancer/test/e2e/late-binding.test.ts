// Late binding: nobody waits behind a busy loop while another is free, and while all are busy everybody waits in one queue in the primary.

import { assert, suite } from '../../../../test/suite.ts'
import { exchange, get, RawClient } from './support/raw-client.ts'
import { type RunningBalancer, startBalancer } from './support/running-balancer.ts'

const test = suite('late binding', { timeoutMs: 40_000 })

/** Long enough for everything that a test does meanwhile. */
const BLOCK = '/block?ms=3000'

async function start(more: object = {}): Promise<RunningBalancer> {
  const balancer = await startBalancer({
    config: { app: 'expect-app.mjs', pools: { web: { workers: 2 } }, policy: 'least-busy', ...more } as never,
  })
  await balancer.untilAllReady()
  return balancer
}

const workerOf = async (client: RawClient) => (await client.answer()).headers.get('x-worker')?.[0]

/** Blocks one worker; resolves when the board says so. */
async function block(balancer: RunningBalancer, path = BLOCK) {
  const client = new RawClient(balancer.port).write(get(path))
  let isOver = false
  const answer = workerOf(client).then((worker) => {
    isOver = true
    client.destroy()
    return worker
  })
  return { answer, isOver: () => isOver }
}

const busyWorkers = (balancer: RunningBalancer, count: number) =>
  balancer.untilStatus(({ pools }) => pools[0]?.workers.filter(({ load }) => load.busyMs > 20).length === count, `${count} busy`)

test('a blocked worker shows since when, and gets nothing new', async () => {
  const balancer = await start()
  const blocked = await block(balancer)
  const { pools } = await busyWorkers(balancer, 1)
  const busy = pools[0]?.workers.find(({ load }) => load.busyMs > 0)
  assert.not.ok(busy?.load.isFree)
  for (let turn = 0; turn < 40; turn++) {
    const { status, headers } = await exchange(balancer.port, get('/'))
    assert.is(status, 200)
    assert.is(headers.get('x-worker')?.[0], `web/${1 - (busy?.slot as number)}`)
  }
  assert.not.ok(blocked.isOver(), 'all of them were served meanwhile')
  const after = await balancer.status()
  const there = after.pools[0]?.workers.find(({ slot }) => slot === busy?.slot)
  assert.is(there?.handOffs, busy?.handOffs)
  assert.match(await balancer.metrics(), /^switchyard_worker_busy_seconds\{[^}]*\} (?!0$)/m)
  assert.is(await blocked.answer, `web/${busy?.slot}`)
  assert.is(await balancer.stop(), 0)
})

test('when all are busy everybody waits in the primary, and the first to come free has the first that came', async () => {
  const balancer = await start()
  await Promise.all([block(balancer), block(balancer)])
  await busyWorkers(balancer, 2)
  const clients: RawClient[] = []
  const order: number[] = []
  for (let index = 0; index < 12; index++) {
    const client = new RawClient(balancer.port).write(get('/block?ms=20'))
    clients.push(client)
    void client.answer().then(() => order.push(index))
    await balancer.untilStatus(({ connections }) => connections.waiting.queue === index + 1, `${index + 1} in the queue`)
  }
  await balancer.untilStatus(({ connections }) => connections.waiting.queue === 0, 'nobody in the queue')
  for (const client of clients) await client.over(5_000)
  // Two loops serve at a time, so that neighbours may change places.
  for (const [place, index] of order.entries()) assert.ok(Math.abs(place - index) <= 1, `in order, but for neighbours: ${order}`)
  assert.is(await balancer.stop(), 0)
})

test('a client that hangs up while it waits leaves at once', async () => {
  const balancer = await start()
  const blocked = await Promise.all([block(balancer), block(balancer)])
  await busyWorkers(balancer, 2)
  const clients = [0, 1, 2].map(() => new RawClient(balancer.port).write(get('/')))
  await balancer.untilStatus(({ connections }) => connections.waiting.queue === 3, 'three in the queue')
  clients[0]?.socket.destroy()
  clients[1]?.socket.resetAndDestroy()
  await balancer.untilStatus(({ connections }) => connections.waiting.queue === 1 && connections.closed === 2, 'one in the queue')
  assert.not.ok(blocked.some(({ isOver }) => isOver()))
  assert.is((await (clients[2] as RawClient).answer()).status, 200)
  assert.is(await balancer.stop(), 0)
})

test('work that blocks in the callback of a file: what was handed off meanwhile is recalled, and served by the other', async () => {
  const balancer = await start()
  const blocked = await block(balancer, '/block-after-stat?ms=3000')
  const answers = await Promise.all(Array.from({ length: 20 }, () => exchange(balancer.port, get('/'))))
  assert.not.ok(blocked.isOver(), 'all of them were served meanwhile')
  assert.equal(new Set(answers.map(({ status }) => status)), new Set([200]))
  await blocked.answer
  assert.is(await balancer.stop(), 0)
})

test('any policy: what its worker’s loop is stuck for goes to one that is free, but for what belongs to that worker', async () => {
  const balancer = await start({
    policy: 'round-robin',
    routes: [{ path: '/mine', policy: { sticky: { by: { query: 'session' } } } }, { path: '/*' }],
  })
  const blocked = await block(balancer)
  const { pools } = await busyWorkers(balancer, 1)
  const slot = pools[0]?.workers.find(({ load }) => load.busyMs > 0)?.slot as number
  for (let turn = 0; turn < 8; turn++) {
    const { headers } = await exchange(balancer.port, get('/'))
    assert.is(headers.get('x-worker')?.[0], `web/${1 - slot}`)
  }
  const bound = Array.from({ length: 8 }, (_, key) => new RawClient(balancer.port).write(get(`/mine?session=s${key}`)))
  const firstBound = Promise.race(
    bound.map(async (client) => ((await workerOf(client)) === `web/${slot}` ? 'bound' : new Promise(() => {}))),
  )
  assert.is(await Promise.race([firstBound, blocked.answer]), `web/${slot}`, 'whoever belongs to the blocked worker waits for it')
  assert.is(await firstBound, 'bound')
  const { handOffs } = await balancer.status()
  assert.ok(handOffs.takenBack >= 1, `${handOffs.takenBack} recalled`)
  for (const client of bound) client.destroy()
  assert.is(await balancer.stop(), 0)
})

test('concurrency: no worker has more in flight, and the rest waits for a response to end', async () => {
  const balancer = await start({ pools: { web: { workers: 2, concurrency: 2 } }, policy: 'least-in-flight' })
  const clients = Array.from({ length: 10 }, () => new RawClient(balancer.port).write(get('/wait?ms=300')))
  const { pools } = await balancer.untilStatus(({ connections }) => connections.waiting.queue === 6, 'six in the queue')
  assert.equal(
    pools[0]?.workers.map(({ load }) => load.inFlight),
    [2, 2],
  )
  for (const client of clients) assert.is((await client.answer()).status, 200)
  assert.is(await balancer.stop(), 0)
})

test('a burst at a heavy route is served or told 503, the counts add up, and light routes go on', async () => {
  const balancer = await start({
    pools: { web: { workers: 1 }, heavy: { workers: 1, queue: { limit: 50, timeoutMs: 400 } } },
    routes: [{ path: '/block', pool: 'heavy' }, { path: '/*' }],
  })
  const burst = Array.from({ length: 200 }, () => exchange(balancer.port, get('/block?ms=100')))
  const light = await Promise.all(Array.from({ length: 50 }, () => exchange(balancer.port, get('/?expect=web'))))
  assert.equal(new Set(light.map(({ status }) => status)), new Set([200]))
  const answers = await Promise.all(burst)
  const refused = answers.filter(({ status }) => status === 503)
  assert.ok(refused.every(({ headers }) => Number(headers.get('retry-after')?.[0]) >= 1))
  assert.is(answers.filter(({ status }) => status === 200).length + refused.length, 200)
  const { connections } = await balancer.status()
  assert.is(connections.refused['queue-full'] + connections.refused['queue-timeout'], refused.length)
  assert.ok(connections.refused['queue-full'] >= 1)
  assert.ok(connections.refused['queue-timeout'] >= 1)
  assert.is(await balancer.stop(), 0)
})

test.run()
