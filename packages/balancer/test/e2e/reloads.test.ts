// Reloads of a balancer with several pools under steady load: what is replaced, what stays, and what a rollback restores. The tests share one
// balancer.

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
/** The version that answers in every pool, and the latest that a test has used. */
let version = 1
let latest = 1

const pool = (version: number, changes: PoolConfig = {}): PoolConfig => ({
  workers: 1,
  env: { VERSION: `${version}` },
  ...changes,
})
const webOf = (version: number, env: Record<string, string> = {}) => pool(version, { workers: 2, env: { VERSION: `${version}`, ...env } })
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

/** The answers on all paths when the pool of each runs the version that serves. */
function expected(...pools: string[]): string[] {
  return pools.map((name) => `${name} ${version}`)
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

/** Installs these pools with their routes, unless they run already. */
async function install(...names: string[]): Promise<void> {
  const routes = routesTo(...names.filter((name) => name !== 'web'))
  if (JSON.stringify([Object.keys(config.pools ?? {}), config.routes]) === JSON.stringify([names, routes])) return
  configure({ pools: Object.fromEntries(names.map((name) => [name, config.pools?.[name] ?? pool(version)])), routes })
  await succeeds('reload')
}

test.before(async () => {
  config = {
    app: 'version-app.mjs',
    pools: { web: webOf(version), api: pool(version) },
    routes: routesTo('api'),
    startTimeoutMs: patience(10_000),
  }
  balancer = await startBalancer({ config })
  await balancer.untilAllReady()
  steady = new SteadyClients({ target: balancer.port, paths: PATHS, keptAlive: 2, fresh: 2 })
})

test.after(async () => {
  const { faults } = await steady.end()
  assert.equal(faults, [])
  assert.is(balancer.child.stderr(), '')
  assert.is(await balancer.stop(), 0)
})

test('a rollback before any reload fails', async () => {
  const fresh = await startBalancer({ config: { app: 'version-app.mjs', pools: { web: { workers: 1 } } } })
  const { code, err } = await runCommand(fresh, ['rollback'])
  assert.is(code, 9)
  assert.match(err, 'ERR_NOTHING_TO_ROLL_BACK')
  assert.is(await fresh.stop(), 0)
})

test('a reload of one pool leaves the others alone', async () => {
  await install('web', 'api')
  const [before, old] = [await pids(), version]
  version = ++latest
  configure({ pools: { web: webOf(version), api: pool(version) } })
  await succeeds('reload', 'web')
  assert.equal(await answerers(), [`web ${version}`, `api ${old}`, `web ${version}`])
  const after = await pids()
  assert.equal(after.api, before.api)
  assert.ok(after.web?.every((pid) => !before.web?.includes(pid)))
  await succeeds('reload')
  assert.equal(await answerers(), expected('web', 'api', 'web'))
})

test('a reload of an unknown pool fails', async () => {
  await install('web', 'api')
  const { code, err } = await runCommand(balancer, ['reload', 'nothing'])
  assert.is(code, 2)
  assert.match(err, /no pool 'nothing'.*web, api.*ERR_UNKNOWN_SEAT/)
})

test('a reload adds a pool with its route', async () => {
  await install('web', 'api')
  const added = ++latest
  configure({ pools: { ...config.pools, extra: pool(added) }, routes: routesTo('api', 'extra') })
  await succeeds('reload')
  assert.equal(await answerers(), [`web ${version}`, `api ${version}`, `extra ${added}`])
  assert.equal(Object.keys(await pids()), ['web', 'api', 'extra'])
})

test('changed routes apply to kept-alive connections too', async () => {
  await install('web', 'api', 'extra')
  configure({
    routes: [
      { path: '/api/*', pool: 'extra' },
      { path: '/extra/*', pool: 'api' },
    ],
  })
  await succeeds('reload')
  assert.equal(
    (await answerers()).map((answer) => answer.split(' ')[0]),
    ['web', 'extra', 'api'],
  )
  // Requests that are under way now may still use the old routes.
  await steady.next(12)
  const { answers } = await steady.next(60)
  const routed = new Set([...answers].map((answer) => answer.split(' ').slice(0, 2).join(' ')))
  assert.equal([...routed].sort(), ['/: web', '/api/a: extra', '/extra/a: api'])
})

test('when a pool and its routes are removed, the first pool gets its requests', async () => {
  // With any routes.
  if (config.pools?.extra === undefined) await install('web', 'api', 'extra')
  const { web, api } = config.pools as Record<string, PoolConfig>
  configure({ pools: { web: web as PoolConfig, api: api as PoolConfig }, routes: routesTo('api') })
  await succeeds('reload')
  assert.equal(await answerers(), expected('web', 'api', 'web'))
  assert.equal(Object.keys(await pids()), ['web', 'api'])
})

test('a reload that fails in one of several pools changes neither pools nor routes', async () => {
  await install('web', 'api')
  const [before, good, bad] = [await pids(), config, ++latest]
  configure({
    pools: { web: webOf(bad), api: pool(bad, { env: { VERSION: `${bad}`, FAIL_SLOT: '0' } }), more: pool(bad) },
    routes: routesTo('api', 'extra', 'more').map((route) => (route.pool === 'extra' ? { ...route, pool: 'more' } : route)),
  })
  const { code, err } = await runCommand(balancer, ['reload'])
  assert.is(code, 6)
  assert.match(err, /api\/0: Error: no database here; exit code 1/)
  assert.equal(await pids(), before)
  assert.equal(await answerers(), expected('web', 'api', 'web'))
  nobodyNoticed()
  configure(good)
})

test('a reload that fails after another pool was replaced restores that pool', async () => {
  await install('web', 'api')
  const [good, bad] = [config, ++latest]
  configure({ pools: { web: webOf(bad, { FAIL_SLOT: '1' }), api: pool(bad) } })
  const { code, err } = await runCommand(balancer, ['reload'])
  assert.is(code, 6)
  assert.match(err, /web\/1: Error: no database here; exit code 1/)
  await balancer.untilAllReady()
  assert.equal(await answerers(), expected('web', 'api', 'web'))
  nobodyNoticed()
  configure(good)
})

test('a rollback restores the environment and the app, once', async () => {
  await install('web', 'api')
  const [good, next] = [config, ++latest]
  const other = join(temporaryFolder(), 'other.mjs')
  writeFileSync(other, `import { createServer } from 'node:http'\ncreateServer((_, response) => response.end('other one')).listen(3000)`)
  configure({ pools: { web: webOf(next), api: { app: other, workers: 1 } } })
  await succeeds('reload')
  assert.equal(await answerers(), [`web ${next}`, 'other one', `web ${next}`])
  await succeeds('rollback')
  assert.equal(await answerers(), expected('web', 'api', 'web'))
  const { code, err } = await runCommand(balancer, ['rollback'])
  assert.is(code, 9)
  assert.match(err, 'ERR_NOTHING_TO_ROLL_BACK')
  configure(good)
})

test('other operations are refused during a reload', async () => {
  await install('web', 'api')
  const hold = new RequestHold()
  version = ++latest
  configure({ pools: { web: webOf(version, { HOLD: hold.file }), api: pool(version) } })
  const reload = startCommand(balancer, ['reload'])
  await balancer.untilStatus(({ pools }) => pools.some(({ reloading }) => reloading), 'the reload')
  for (const args of [['reload'], ['reload', 'api'], ['rollback']]) {
    const { code, err } = await runCommand(balancer, args)
    assert.is(code, 7, `${args.join(' ')}: ${err}`)
    assert.match(err, 'ERR_BUSY')
  }
  hold.release()
  assert.equal(await reload.ended, { code: 0, signal: null }, reload.output())
  assert.equal(await answerers(), expected('web', 'api', 'web'))
  nobodyNoticed()
})

test('SIGHUP reloads, and the result is in the log', async () => {
  await install('web', 'api')
  version = ++latest
  configure({ pools: { web: webOf(version), api: pool(version) } })
  const good = config
  const ends = () => balancer.lines.filter(({ msg }) => msg === 'reload: 3 workers of web, api replaced').length
  const before = ends()
  balancer.child.process.kill('SIGHUP')
  await balancer.untilLine(({ msg }) => msg === 'SIGHUP: reloading', 'the signal')
  await until(() => ends() > before, 10_000, 'the end of the reload')
  assert.equal(await answerers(), expected('web', 'api', 'web'))
  const bad = ++latest
  configure({ pools: { web: webOf(bad, { FAIL_SLOT: '0' }), api: pool(bad) } })
  balancer.child.process.kill('SIGHUP')
  await balancer.untilLine(({ msg }) => /^reload failed: .*web\/0: Error: no database here/.test(msg), 'the failed reload')
  assert.equal(await answerers(), expected('web', 'api', 'web'))
  configure(good)
})

test('no request fails in a reload', async () => {
  await install('web', 'api')
  await succeeds('reload', 'api')
  const { count, faults } = await steady.next(12)
  assert.equal(faults, [])
  assert.ok(count >= 12)
})

test.run()
