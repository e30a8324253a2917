// Reloads of a balancer with several pools under steady load: what is replaced, what stays, and what a rollback restores. The tests run in
// order, on one balancer.

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
/** The config that runs. */
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

/** Pool and version that answer on a path. */
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
  assert.ok(count > 0, 'requests meanwhile')
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

test('a rollback before any reload fails', async () => {
  const { code, err } = await runCommand(balancer, ['rollback'])
  assert.is(code, 9)
  assert.match(err, 'ERR_NOTHING_TO_ROLL_BACK')
})

test('a reload of one pool leaves the others alone', async () => {
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

test('a reload of an unknown pool fails', async () => {
  const { code, err } = await runCommand(balancer, ['reload', 'nothing'])
  assert.is(code, 2)
  assert.match(err, /no pool 'nothing'.*web, api.*ERR_UNKNOWN_SEAT/)
})

test('a reload adds a pool with its route', async () => {
  configure({ pools: { ...config.pools, extra: pool(3) }, routes: routesTo('api', 'extra') })
  await succeeds('reload')
  assert.equal(await answerers(), ['web 2', 'api 2', 'extra 3'])
  assert.equal(Object.keys(await pids()), ['web', 'api', 'extra'])
})

test('changed routes apply to kept-alive connections too', async () => {
  configure({
    routes: [
      { path: '/api/*', pool: 'extra' },
      { path: '/extra/*', pool: 'api' },
    ],
  })
  await succeeds('reload')
  assert.equal(await answerers(), ['web 2', 'extra 3', 'api 2'])
  // Requests that are under way now may still use the old routes.
  await steady.next(12)
  const { answers } = await steady.next(60)
  const routed = new Set([...answers].map((answer) => answer.split(' ').slice(0, 2).join(' ')))
  assert.equal([...routed].sort(), ['/: web', '/api/a: extra', '/extra/a: api'])
})

test('when a pool and its routes are removed, the first pool gets its requests', async () => {
  const { web, api } = config.pools as Record<string, PoolConfig>
  configure({ pools: { web: web as PoolConfig, api: api as PoolConfig }, routes: routesTo('api') })
  await succeeds('reload')
  assert.equal(await answerers(), ['web 2', 'api 2', 'web 2'])
  assert.equal(Object.keys(await pids()), ['web', 'api'])
})

test('a reload that fails in one of several pools changes neither pools nor routes', async () => {
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

test('a reload that fails after another pool was replaced restores that pool', async () => {
  configure({ pools: { web: pool(5, { workers: 2, env: { VERSION: '5', FAIL_SLOT: '1' } }), api: pool(5) } })
  const { code, err } = await runCommand(balancer, ['reload'])
  assert.is(code, 6)
  assert.match(err, /web\/1: Error: no database here; exit code 1/)
  await balancer.untilAllReady()
  assert.equal(await answerers(), ['web 2', 'api 2', 'web 2'])
  nobodyNoticed()
})

test('a rollback restores the environment and the app, once', async () => {
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

test('other operations are refused during a reload', async () => {
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

test('SIGHUP reloads, and the result is in the log', async () => {
  configure({ pools: { web: pool(8), api: pool(8) } })
  const ends = () => balancer.lines.filter(({ msg }) => msg === 'reload: 2 workers of web, api replaced').length
  const before = ends()
  balancer.child.process.kill('SIGHUP')
  await balancer.untilLine(({ msg }) => msg === 'SIGHUP: reloading', 'the signal')
  await until(() => ends() > before, 10_000, 'the end of the reload')
  assert.equal(await answerers(), ['web 8', 'api 8', 'web 8'])
  configure({ pools: { web: pool(9, { env: { VERSION: '9', FAIL_SLOT: '0' } }), api: pool(9) } })
  balancer.child.process.kill('SIGHUP')
  await balancer.untilLine(({ msg }) => /^reload failed: .*web\/0: Error: no database here/.test(msg), 'the failed reload')
  assert.equal(await answerers(), ['web 8', 'api 8', 'web 8'])
})

test('no request has failed in any of the reloads', async () => {
  const { faults } = await steady.end()
  assert.equal(faults, [])
  assert.is(balancer.child.stderr(), '')
  assert.is(await balancer.stop(), 0)
})

test.run()
