// Late binding: no connection waits for a busy loop while another loop is idle. While all loops are busy, connections wait in one queue in the
// primary.

import { assert, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import type { BalancerStatus, WorkerStatus } from '../../src/status.ts'
import { once } from './support/once.ts'
import { exchange, get, RawClient } from './support/raw-client.ts'
import { RequestHold } from './support/request-hold.ts'
import { movesConnections, type RunningBalancer, startBalancer } from './support/running-balancer.ts'

const test = suite('late binding', { timeoutMs: 40_000 })

async function start(more: object = {}): Promise<RunningBalancer> {
  const balancer = await startBalancer({
    // On a slow machine it takes long to fill a queue.
    config: {
      app: 'expect-app.mjs',
      pools: { web: { workers: 2, queue: { timeoutMs: 300_000 } } },
      policy: 'least-busy',
      hangTimeoutMs: 300_000,
      ...more,
    } as never,
  })
  await balancer.untilAllReady()
  return balancer
}

/** For the tests with the default policy. */
const startShared = once(() => start())

test.after(async () => assert.is(await (await startShared()).stop(), 0))

const workerOf = async (client: RawClient) => (await client.answer()).headers.get('x-worker')?.[0]

/** Blocks this many workers until they are released. */
function block(balancer: RunningBalancer, count: number, path = '/block') {
  const hold = new RequestHold()
  const clients = Array.from({ length: count }, () => new RawClient(balancer.port).write(hold.request(path)))
  return {
    /** Releases the workers. Resolves with their pids. */
    async end(): Promise<(string | undefined)[]> {
      hold.release()
      const workers = await Promise.all(clients.map(workerOf))
      for (const client of clients) client.destroy()
      return workers
    },
  }
}

/** Longer than a loop is without CPU time on a busy machine. */
const BLOCKED_MS = 500

const blockedIn = ({ pools }: BalancerStatus) => pools[0]?.workers.filter(({ load }) => load.busyMs > BLOCKED_MS) ?? []

/** Connections that no worker has claimed. After a while the primary offers the first of the queue to a busy loop, and can recall it. */
const waitingIn = ({ connections: { waiting } }: BalancerStatus) => waiting.queue + waiting.offered

/** Resolves with the blocked workers when there are this many. */
async function blockedWorkers(balancer: RunningBalancer, count: number): Promise<readonly WorkerStatus[]> {
  return blockedIn(await balancer.untilStatus((status) => blockedIn(status).length === count, `${count} blocked`))
}

test('the status shows since when a worker is blocked, and it gets no new connection', async () => {
  const balancer = await startShared()
  const blocked = block(balancer, 1)
  const [busy] = await blockedWorkers(balancer, 1)
  assert.not.ok(busy?.load.isFree)
  for (let turn = 0; turn < 40; turn++) {
    const { status, headers } = await exchange(balancer.port, get('/'))
    assert.is(status, 200)
    assert.is(headers.get('x-worker')?.[0], `web/${1 - (busy?.slot as number)}`)
  }
  const after = await balancer.status()
  const there = after.pools[0]?.workers.find(({ slot }) => slot === busy?.slot)
  assert.is(there?.handOffs, busy?.handOffs)
  assert.match(await balancer.metrics(), /^switchyard_worker_busy_seconds\{[^}]*\} (?!0$)/m)
  assert.equal(await blocked.end(), [`web/${busy?.slot}`])
})

test('while all loops are busy, connections wait in the primary; the first idle loop gets the first connection', async () => {
  const balancer = await startShared()
  const blocked = block(balancer, 2)
  await blockedWorkers(balancer, 2)
  const clients: RawClient[] = []
  const served: { index: number; worker: string; begun: number }[] = []
  for (let index = 0; index < 12; index++) {
    const client = new RawClient(balancer.port).write(get('/block?ms=20'))
    clients.push(client)
    void client.answer().then(({ headers }) => {
      served.push({ index, worker: `${headers.get('x-worker')?.[0]}`, begun: Number(headers.get('x-begun')?.[0]) })
    })
    await balancer.untilStatus((status) => waitingIn(status) === index + 1, `${index + 1} that wait`)
  }
  const { queue } = (await balancer.status()).connections.waiting
  assert.ok(queue >= 10, `${queue} of 12 in the queue, and more than one offered to each worker`)
  assert.equal((await blocked.end()).sort(), ['web/0', 'web/1'])
  for (const client of clients) await client.over()
  assert.is(served.length, 12)
  // No connection overtakes an earlier one in the same worker.
  for (const worker of ['web/0', 'web/1']) {
    const mine = served.filter((one) => one.worker === worker).sort((one, other) => one.begun - other.begun)
    const indices = mine.map(({ index }) => index)
    assert.equal(
      indices,
      indices.toSorted((one, other) => one - other),
      worker,
    )
  }
})

test('a client that hangs up leaves the queue at once', async () => {
  const balancer = await startShared()
  const blocked = block(balancer, 2)
  await blockedWorkers(balancer, 2)
  const { closed } = (await balancer.status()).connections
  const clients = [0, 1, 2].map(() => new RawClient(balancer.port).write(get('/')))
  await balancer.untilStatus((status) => waitingIn(status) === 3, 'three that wait')
  clients[0]?.socket.destroy()
  clients[1]?.socket.resetAndDestroy()
  await balancer.untilStatus((status) => waitingIn(status) === 1 && status.connections.closed === closed + 2, 'one that waits')
  await blocked.end()
  assert.is((await (clients[2] as RawClient).answer()).status, 200)
})

test('connections offered to a worker that blocks in a file callback are recalled and served by the other worker', async () => {
  const balancer = await startShared()
  const blocked = block(balancer, 1, '/block-after-stat')
  let served = 0
  const answers = Array.from({ length: 20 }, async () => {
    const { status } = await exchange(balancer.port, get('/'))
    if (status === 200) served++
  })
  // Over the portable channel a sent connection can't be recalled while its worker lives.
  await until(() => served >= (movesConnections ? 20 : 19), 10_000, 'served meanwhile')
  await blocked.end()
  await Promise.all(answers)
  assert.is(served, 20)
})

test('with any policy connections of a blocked worker go to an idle one, except those bound to it', async () => {
  const balancer = await start({
    policy: 'round-robin',
    routes: [{ path: '/mine', policy: { sticky: { by: { query: 'session' } } } }, { path: '/*' }],
  })
  const blocked = block(balancer, 1)
  const [busy] = await blockedWorkers(balancer, 1)
  const slot = busy?.slot as number
  for (let turn = 0; turn < 8; turn++) {
    const { headers } = await exchange(balancer.port, get('/'))
    assert.is(headers.get('x-worker')?.[0], `web/${1 - slot}`)
  }
  const bound = Array.from({ length: 8 }, (_, key) => new RawClient(balancer.port).write(get(`/mine?session=s${key}`)))
  const { handOffs } = await balancer.untilStatus(
    ({ connections }) => connections.accepted === 17 && connections.waiting.offered < 8,
    'connections of the other worker served',
  )
  assert.ok(handOffs.takenBack >= 1, `${handOffs.takenBack} recalled`)
  await blocked.end()
  const seen = await Promise.all(bound.map(workerOf))
  assert.ok(seen.includes(`web/${slot}`), 'a bound connection waits for the blocked worker')
  for (const client of bound) client.destroy()
  assert.is(await balancer.stop(), 0)
})

test('concurrency bounds the requests in flight of a worker; other connections wait until a response ends', async () => {
  const balancer = await start({ pools: { web: { workers: 2, concurrency: 2 } }, policy: 'least-in-flight' })
  const hold = new RequestHold()
  const clients = Array.from({ length: 10 }, () => new RawClient(balancer.port).write(hold.request('/wait')))
  // A connection that a worker has claimed counts as offered for a moment longer.
  await balancer.untilStatus(
    ({ connections, pools }) => connections.waiting.queue === 6 && pools[0]?.workers.every(({ load }) => load.inFlight === 2) === true,
    'six in the queue, and two in flight on each worker',
  )
  hold.release()
  for (const client of clients) assert.is((await client.answer()).status, 200)
  assert.is(await balancer.stop(), 0)
})

test('a burst on a heavy route gets answers or 503, the counts add up, and light routes are served', async () => {
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
