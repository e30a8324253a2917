// Reloads of a balancer with several pools, while visitors ask all the time: what is replaced, what stays, what comes back.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { assert, suite } from '../../../../test/suite.ts'
import { patience } from '../../../../test/support/patience.ts'
import { until } from '../../../../test/support/until.ts'
import type { BalancerConfig, PoolConfig } from '../../src/config/config.ts'
import { runCommand, startCommand } from './support/commands.ts'
import { exchange, get } from './support/raw-client.ts'
import { RequestHold } from './support/request-hold.ts'
import { type RunningBalancer, startBalancer, temporaryFolder } from './support/running-balancer.ts'
import { SteadyClients } from './support/steady-clients.ts'

const test = suite('reloads', { timeoutMs: 60_000 })
const PATHS = ['/', '/api/a', '/extra/a']

let balancer: RunningBalancer
let steady: SteadyClients
/** What runs, as an operator wrote it last. */
let config: BalancerConfig

const pool = (version: number, changes: PoolConfig = {}): PoolConfig => ({
  workers: 1,
  env: { VERSION: `${version}` },
  reload: { settleMs: 50 },
  ...changes,
})
const routesTo = (...pools: string[]) => pools.map((name) => ({ path: `/${name}/*`, pool: name }))

function configure(changes: BalancerConfig): void {
  config = { ...config, ...changes }
  balancer.configure(config)
}

/** Who answers on a path: pool and version. */
async function answerer(path: string): Promise<string> {
  const { status, body } = await exchange(balancer.port, get(path))
  assert.is(status, 200)
  return body.toString().split(' ').slice(0, 2).join(' ')
}

function answerers(): Promise<string[]> {
  return Promise.all(PATHS.map(answerer))
}

async function pids(): Promise<Record<string, number[]>> {
  const { pools } = await balancer.untilAllReady()
  return Object.fromEntries(pools.map(({ name, workers }) => [name, workers.map(({ pid }) => pid).sort()]))
}

async function succeeds(...args: string[]): Promise<void> {
  const { code, err } = await runCommand(balancer, args)
  assert.is(code, 0, err)
  nobodyNoticed()
}

function nobodyNoticed(): void {
  const { count, faults } = steady.collect()
  assert.equal(faults, [])
  assert.ok(count > 0, 'nobody asked meanwhile')
}

test.before(async () => {
  config = {
    app: 'version-app.mjs',
    pools: { web: pool(1, { workers: 2 }), api: pool(1) },
    routes: routesTo('api'),
    startTimeoutMs: patience(10_000),
  }
  balancer = await startBalancer({ config })
  await balancer.untilAllReady()
  steady = new SteadyClients({ target: balancer.port, paths: PATHS, keptAlive: 3, fresh: 3 })
})

test('nothing has been reloaded, so there is nothing to roll back', async () => {
  const { code, err } = await runCommand(balancer, ['rollback'])
  assert.is(code, 9)
  assert.match(err, 'ERR_NOTHING_TO_ROLL_BACK')
})

test('one pool alone is replaced', async () => {
  const before = await pids()
  configure({ pools: { web: pool(2, { workers: 2 }), api: pool(2) } })
  await succeeds('reload', 'web')
  assert.equal(await answerers(), ['web 2', 'api 1', 'web 2'])
  const after = await pids()
  assert.equal(after.api, before.api)
  assert.ok(after.web?.every((pid) => !before.web?.includes(pid)))
  await succeeds('reload')
  assert.equal(await answerers(), ['web 2', 'api 2', 'web 2'])
})

test('there is no such pool', async () => {
  const { code, err } = await runCommand(balancer, ['reload', 'nothing'])
  assert.is(code, 2)
  assert.match(err, /no pool 'nothing'.*web, api.*ERR_UNKNOWN_SEAT/)
})

test('a pool is added with its route', async () => {
  configure({ pools: { ...config.pools, extra: pool(3) }, routes: routesTo('api', 'extra') })
  await succeeds('reload')
  assert.equal(await answerers(), ['web 2', 'api 2', 'extra 3'])
  assert.equal(Object.keys(await pids()), ['web', 'api', 'extra'])
})

test('routes change, and kept-alive connections go by the new ones', async () => {
  configure({
    routes: [
      { path: '/api/*', pool: 'extra' },
      { path: '/extra/*', pool: 'api' },
    ],
  })
  await succeeds('reload')
  assert.equal(await answerers(), ['web 2', 'extra 3', 'api 2'])
  // What is on its way now may have gone by the old ones.
  await steady.next(12)
  const { answers } = await steady.next(60)
  const routed = new Set([...answers].map((answer) => answer.split(' ').slice(0, 2).join(' ')))
  assert.equal([...routed].sort(), ['/: web', '/api/a: extra', '/extra/a: api'])
})

test('a pool and its routes are removed: the first pool has its visitors', async () => {
  const { web, api } = config.pools as Record<string, PoolConfig>
  configure({ pools: { web: web as PoolConfig, api: api as PoolConfig }, routes: routesTo('api') })
  await succeeds('reload')
  assert.equal(await answerers(), ['web 2', 'api 2', 'web 2'])
  assert.equal(Object.keys(await pids()), ['web', 'api'])
})

test('a reload that fails in one of several pools changes none of them, nor the routes', async () => {
  const before = await pids()
  const good = config
  configure({
    pools: { web: pool(4, { workers: 2 }), api: pool(4, { env: { VERSION: '4', FAIL_SLOT: '0' } }), more: pool(4) },
    routes: routesTo('api', 'extra', 'more').map((route) => (route.pool === 'extra' ? { ...route, pool: 'more' } : route)),
  })
  const { code, err } = await runCommand(balancer, ['reload'])
  assert.is(code, 6)
  assert.match(err, /api\/0: Error: no database here; exit code 1/)
  assert.equal(await pids(), before)
  assert.equal(await answerers(), ['web 2', 'api 2', 'web 2'])
  nobodyNoticed()
  configure(good)
})

test('one that fails when another pool has been replaced already takes that back', async () => {
  configure({ pools: { web: pool(5, { workers: 2, env: { VERSION: '5', FAIL_SLOT: '1' } }), api: pool(5) } })
  const { code, err } = await runCommand(balancer, ['reload'])
  assert.is(code, 6)
  assert.match(err, /web\/1: Error: no database here; exit code 1/)
  await balancer.untilAllReady()
  assert.equal(await answerers(), ['web 2', 'api 2', 'web 2'])
  nobodyNoticed()
})

test('a rollback brings back environment and app of before; there is only one', async () => {
  const other = join(temporaryFolder(), 'other.mjs')
  writeFileSync(other, `import { createServer } from 'node:http'\ncreateServer((_, response) => response.end('other one')).listen(3000)`)
  configure({ pools: { web: pool(6, { workers: 2 }), api: { app: other, reload: { settleMs: 50 }, workers: 1 } } })
  await succeeds('reload')
  assert.equal(await answerers(), ['web 6', 'other one', 'web 6'])
  await succeeds('rollback')
  assert.equal(await answerers(), ['web 2', 'api 2', 'web 2'])
  const { code, err } = await runCommand(balancer, ['rollback'])
  assert.is(code, 9)
  assert.match(err, 'ERR_NOTHING_TO_ROLL_BACK')
})

test('while a reload is under way others are refused', async () => {
  const hold = new RequestHold()
  configure({ pools: { web: pool(7, { env: { VERSION: '7', HOLD: hold.file } }), api: pool(7) } })
  const reload = startCommand(balancer, ['reload'])
  await balancer.untilStatus(({ pools }) => pools.some(({ reloading }) => reloading), 'the reload')
  for (const args of [['reload'], ['reload', 'api'], ['rollback']]) {
    const { code, err } = await runCommand(balancer, args)
    assert.is(code, 7, `${args.join(' ')}: ${err}`)
    assert.match(err, 'ERR_BUSY')
  }
  hold.release()
  assert.equal(await reload.ended, { code: 0, signal: null }, reload.output())
  assert.equal(await answerers(), ['web 7', 'api 7', 'web 7'])
  nobodyNoticed()
})

test('SIGHUP reloads, and what comes of it stands in the log', async () => {
  configure({ pools: { web: pool(8), api: pool(8) } })
  const ends = () => balancer.lines.filter(({ msg }) => msg === 'reload: 2 workers of web, api replaced').length
  const before = ends()
  balancer.child.process.kill('SIGHUP')
  await balancer.untilLine(({ msg }) => msg === 'SIGHUP: reloading', 'the signal')
  await until(() => ends() > before, 10_000, 'its end')
  assert.equal(await answerers(), ['web 8', 'api 8', 'web 8'])
  configure({ pools: { web: pool(9, { env: { VERSION: '9', FAIL_SLOT: '0' } }), api: pool(9) } })
  balancer.child.process.kill('SIGHUP')
  await balancer.untilLine(({ msg }) => /^reload failed: .*web\/0: Error: no database here/.test(msg), 'its failure')
  assert.equal(await answerers(), ['web 8', 'api 8', 'web 8'])
})

test('nobody has noticed any of it', async () => {
  const { faults } = await steady.end()
  assert.equal(faults, [])
  assert.is(balancer.child.stderr(), '')
  assert.is(await balancer.stop(), 0)
})

test.run()
