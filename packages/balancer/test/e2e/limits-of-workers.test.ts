// What a pool does by itself under steady load: it replaces workers that are old, large, or have served enough requests, ejects a worker that
// only fails, and scales with the load.

import { assert, suite } from '../../../../test/suite.ts'
import { patience } from '../../../../test/support/patience.ts'
import { until } from '../../../../test/support/until.ts'
import type { PoolConfig } from '../../src/config/config.ts'
import type { PoolStatus } from '../../src/status.ts'
import { once } from './support/once.ts'
import { exchange, get } from './support/raw-client.ts'
import { type RunningBalancer, startBalancer } from './support/running-balancer.ts'
import { SteadyClients } from './support/steady-clients.ts'

const test = suite('limits of workers', { timeoutMs: 60_000 })

async function start(pools: Record<string, PoolConfig>): Promise<RunningBalancer> {
  const balancer = await startBalancer({
    config: {
      app: 'version-app.mjs',
      pools,
      routes: Object.keys(pools).map((pool) => ({ path: `/${pool}/*`, pool })),
      startTimeoutMs: patience(10_000),
    },
  })
  await balancer.untilAllReady()
  return balancer
}

/** Pools with a limit of memory. */
const startLimited = once(() =>
  start({ memory: { workers: 2, maxMemory: { soft: '200M' } }, large: { workers: 2, maxMemory: { hard: '300M' } } }),
)

/** A pool with a worker that only fails, and one that scales. */
const startChanging = once(() =>
  start({
    sick: {
      workers: 3,
      env: { SICK_SLOT: '1' },
      outliers: { intervalMs: 500, minRequests: 10, errorShare: 0.3, baseEjectionMs: 60_000, maxEjectedShare: 0.4 },
    },
    load: { workers: 1, autoscale: { min: 1, max: 3, target: 0.5, upAfterMs: 300, downAfterMs: 800 } },
  }),
)

test.after(async () => {
  for (const balancer of await Promise.all([startLimited(), startChanging()])) await stop(balancer)
})

async function stop(balancer: RunningBalancer): Promise<void> {
  assert.is(balancer.child.stderr(), '')
  assert.is(await balancer.stop(), 0)
}

async function poolOf(balancer: RunningBalancer, name: string): Promise<PoolStatus> {
  return (await balancer.status()).pools.find((pool) => pool.name === name) as PoolStatus
}

/** The pid that answered. */
function pidIn(body: Buffer): number {
  return Number(body.toString().split(' ')[3])
}

/** The reasons for which workers of a pool were replaced. */
function reasons(balancer: RunningBalancer, pool: string): string[] {
  return balancer.lines.filter((line) => line.pool === pool && /will be replaced/.test(line.msg)).map(({ reason }) => String(reason))
}

async function pidsOf(balancer: RunningBalancer, ...names: string[]): Promise<number[]> {
  const { pools } = await balancer.status()
  return pools.filter(({ name }) => names.includes(name)).flatMap(({ workers }) => workers.map(({ pid }) => pid))
}

/** Resolves when these workers have exited. At most one worker of each pool may be under replacement at a time. */
async function untilReplaced(balancer: RunningBalancer, before: readonly number[], ...names: string[]): Promise<void> {
  await until(
    async () => {
      const { pools } = await balancer.status()
      const looked = pools.filter(({ name }) => names.includes(name))
      for (const { name, ready, desired, workers } of looked) {
        const leaving = workers.filter(({ retiring }) => retiring !== null)
        assert.ok(leaving.length <= 1, `${name}: two at once: ${JSON.stringify(leaving)}`)
        assert.ok(ready >= desired, `${name}: ${ready} of ${desired} ready`)
      }
      return looked.every(({ workers }) => workers.every(({ pid }) => !before.includes(pid)))
    },
    20_000,
    'all workers replaced',
  )
}

test('workers over maxRequests or maxAge are replaced one at a time, and no request fails', async () => {
  // Its workers are replaced again and again, so it runs for this test alone.
  const balancer = await start({ requests: { workers: 2, maxRequests: 60 }, age: { workers: 2, maxAgeMs: 2_000 } })
  const steady = new SteadyClients({ target: balancer.port, paths: ['/requests/a', '/age/a'], keptAlive: 3, fresh: 3 })
  await untilReplaced(balancer, await pidsOf(balancer, 'requests', 'age'), 'requests', 'age')
  const { count, faults } = await steady.end()
  assert.equal(faults, [])
  assert.ok(count > 0)
  assert.match(reasons(balancer, 'requests')[0] ?? '', /^it has begun \d+ requests \(maxRequests\)$/)
  assert.match(reasons(balancer, 'age')[0] ?? '', /^it is \d+ s old \(maxAgeMs\)$/)
  await stop(balancer)
})

test('workers over the soft memory limit are replaced one at a time, and no request fails', async () => {
  const balancer = await startLimited()
  const steady = new SteadyClients({ target: balancer.port, paths: ['/memory/a'] })
  const before = await pidsOf(balancer, 'memory')
  const eaters = new Set<number>()
  while (!before.every((pid) => eaters.has(pid))) {
    const { body } = await exchange(balancer.port, get('/memory/eat?mb=180'))
    eaters.add(pidIn(body))
  }
  await untilReplaced(balancer, before, 'memory')
  assert.equal((await steady.end()).faults, [])
  assert.match(reasons(balancer, 'memory')[0] ?? '', /^it has \d+ MB, more than 200 MB \(maxMemory\.soft\)$/)
})

test('a worker over the hard memory limit is killed at once', async () => {
  const balancer = await startLimited()
  // The worker may be killed before its answer.
  await exchange(balancer.port, get('/large/eat?mb=400')).catch(() => {})
  const killed = await balancer.untilLine(({ msg }) => /^large\/\d: killed: /.test(msg), 'the kill')
  assert.match(killed.msg, /killed: it has \d+ MB, more than 300 MB \(maxMemory\.hard\)$/)
  assert.is((await exchange(balancer.port, get('/large/a'))).status, 200)
  await balancer.untilStatus(({ pools }) => pools.every(({ ready, desired }) => ready >= desired), 'every worker ready')
})

test('a worker that only fails is ejected, and answers no request for a while', async () => {
  const balancer = await startChanging()
  let failed = 0
  let isOver = false
  const ask = async (): Promise<void> => {
    while (!isOver) if ((await exchange(balancer.port, get('/sick/a'))).status === 500) failed++
  }
  const visitors = [ask(), ask(), ask()]
  const line = await balancer.untilLine(({ msg }) => /^sick\/\d gets no connections/.test(msg), 'the ejection')
  assert.match(line.msg, /^sick\/1 gets no connections for 1 min: /)
  await balancer.untilStatus(({ pools }) => pools.some(({ workers }) => workers.some(({ ejected }) => ejected)), 'an ejected worker')
  isOver = true
  await Promise.all(visitors)
  assert.ok(failed > 0)
  for (let turn = 0; turn < 30; turn++) assert.is((await exchange(balancer.port, get('/sick/a'))).status, 200)
  const { workers } = await poolOf(balancer, 'sick')
  assert.equal(workers.map(({ slot, ejected }) => `${slot} ${ejected}`).sort(), ['0 false', '1 true', '2 false'])
})

test('a pool gets more workers under load and fewer afterwards', async () => {
  const balancer = await startChanging()
  const steady = new SteadyClients({ target: balancer.port, paths: ['/load/work?ms=30'], keptAlive: 4, fresh: 4 })
  await until(async () => (await poolOf(balancer, 'load')).ready === 3, 20_000, 'three workers')
  assert.equal((await steady.end()).faults, [])
  const quiet = new SteadyClients({ target: balancer.port, paths: ['/load/a'], keptAlive: 1, fresh: 1 })
  await until(async () => (await poolOf(balancer, 'load')).workers.length === 1, 20_000, 'one worker')
  assert.equal((await quiet.end()).faults, [])
  const said = balancer.lines.filter(({ msg }) => /^load scales from/.test(msg)).map(({ from, to }) => `${from} to ${to}`)
  assert.is(said.at(-1), '2 to 1')
  assert.ok(said.includes('3 to 2'), said.join(', '))
})

test.run()
