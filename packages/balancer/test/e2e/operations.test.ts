// Operations on a serving balancer: reload, rollback, scale, drain and restart. Clients see the new version and no failed request.

import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { assert, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import type { BalancerStatus } from '../../src/status.ts'
import { runCommand } from './support/commands.ts'
import { once } from './support/once.ts'
import { exchange, get, thinkTime } from './support/raw-client.ts'
import { type RunningBalancer, startBalancer, temporaryFolder } from './support/running-balancer.ts'

const test = suite('operations', { timeoutMs: 60_000 })

const appOf = (version: string): string => `import { createServer } from 'node:http'
createServer((_, response) => response.end('${version} ' + (process.env.GREETING ?? 'hello'))).listen(3000)
`
const configOf = (changes: object = {}): string =>
  JSON.stringify({
    app: 'server.mjs',
    listen: '127.0.0.1:0',
    pools: { web: { workers: 2, reload: { settleMs: 50 }, ...changes } },
  })

interface Site {
  readonly folder: string
  readonly balancer: RunningBalancer
  write(name: string, text: string): void
  /** The answer of the app. */
  visit(): Promise<string>
  command(...args: string[]): ReturnType<typeof runCommand>
}

async function startSite(
  options: { config?: string; configName?: string; files?: Record<string, string>; args?: (folder: string) => string[] } = {},
): Promise<Site> {
  const { config = configOf(), configName = 'balancer.config.json', files = {}, args = () => [] } = options
  const folder = temporaryFolder()
  const write = (name: string, text: string): void => writeFileSync(join(folder, name), text)
  for (const [name, text] of Object.entries({ 'server.mjs': appOf('one'), [configName]: config, ...files })) write(name, text)
  const configFile = join(folder, configName)
  const balancer = await startBalancer({ configFile, args: args(folder) })
  await balancer.untilAllReady()
  return {
    folder,
    balancer,
    write,
    visit: async () => (await exchange(balancer.port, get('/'))).body.toString(),
    command: (...words) => runCommand(balancer, [...words, '--config', configFile]),
  }
}

const pidsOf = ({ pools }: BalancerStatus): number[] => pools.flatMap(({ workers }) => workers.map(({ pid }) => pid))

/** For tests that end with two workers, whose app greets with `hello`. */
const sharedSite = once(() => startSite())
let versions = 0

test.after(async () => assert.is(await (await sharedSite()).balancer.stop(), 0))

test('a reload installs the new version, and no request fails meanwhile', async () => {
  const { balancer, write, visit, command } = await sharedSite()
  const [old, next] = [await visit(), `version ${++versions}`]
  const before = pidsOf(await balancer.status())
  write('server.mjs', appOf(next))
  assert.is(await visit(), old)
  let isOver = false
  const seen = new Set<string>()
  const visitors = Promise.all(
    Array.from({ length: 4 }, async () => {
      while (!isOver) {
        seen.add(await visit())
        await thinkTime(10)
      }
    }),
  )
  const { code, out, err } = await command('reload')
  isOver = true
  await visitors
  assert.equal([code, out], [0, '2 workers of web replaced\n'], err)
  assert.match(err, /web\/0 ready after/)
  assert.is(await visit(), `${next} hello`)
  assert.equal(
    [...seen].filter((answer) => answer !== old && answer !== `${next} hello`),
    [],
  )
  const status = await balancer.untilAllReady()
  assert.ok(pidsOf(status).every((pid) => !before.includes(pid)))
})

test('when a version does not start, the old one serves on and the command says why', async () => {
  const { balancer, write, visit, command } = await sharedSite()
  const [old, next] = [await visit(), `version ${++versions}`]
  const before = pidsOf(await balancer.status())
  write('server.mjs', 'const broken = ;\n')
  const { code, out, err } = await command('reload')
  assert.equal([code, out], [6, ''], err)
  assert.match(err, /SyntaxError: Unexpected token/)
  assert.match(err, /\(ERR_RELOAD_FAILED\)\n$/)
  assert.is(await visit(), old)
  assert.equal(pidsOf(await balancer.untilAllReady()), before)
  write('server.mjs', appOf(next))
  assert.is((await command('reload')).code, 0)
  assert.is(await visit(), `${next} hello`)
})

test('a config with faults changes nothing; a good one is applied, and rolled back', async () => {
  const { write, visit, command } = await sharedSite()
  const old = await visit()
  write('balancer.config.json', configOf({ workers: -1, env: { GREETING: 5 } }))
  const faulty = await command('reload')
  assert.is(faulty.code, 2)
  assert.match(faulty.err, 'has 2 faults:\n  pools.web.workers: ')
  assert.is(await visit(), old)
  write('balancer.config.json', configOf({ env: { GREETING: 'good day' } }))
  assert.is((await command('reload', 'web')).code, 0)
  assert.is(await visit(), old.replace('hello', 'good day'))
  assert.is((await command('rollback')).code, 0)
  assert.is(await visit(), old)
  assert.is((await command('rollback')).code, 9)
  assert.is((await command('reload', 'nowhere')).code, 2)
  write('balancer.config.json', configOf())
})

test('SIGHUP rereads the environment file and everything that the config imports', async () => {
  const files = {
    'balancer.config.ts': `import { pools } from './pools.mjs'\nexport default { app: 'server.mjs', listen: '127.0.0.1:0', pools }`,
    'pools.mjs': 'export const pools = { web: { workers: 1, reload: { settleMs: 50 } } }',
    'site.env': 'GREETING=welcome\n',
  }
  const { balancer, write, visit, command } = await startSite({
    configName: 'balancer.config.ts',
    config: files['balancer.config.ts'],
    files,
    args: (folder) => ['--environment', join(folder, 'site.env')],
  })
  assert.is(await visit(), 'one welcome')
  write('site.env', 'GREETING=goodbye\n')
  write('pools.mjs', 'export const pools = { web: { workers: 2, reload: { settleMs: 50 } } }')
  balancer.child.process.kill('SIGHUP')
  await balancer.untilLine(({ msg }) => /^reload: .* replaced$/.test(msg), 'the reload')
  assert.is(await visit(), 'one goodbye')
  assert.is((await balancer.status()).pools[0]?.desired, 2)
  write('pools.mjs', 'export const pools = { web: { workers: 0 } }')
  balancer.child.process.kill('SIGHUP')
  await balancer.untilLine(({ msg }) => /^not reloaded: .*has a fault:\n {2}pools\.web\.workers: /.test(msg), 'the fault')
  assert.is(await visit(), 'one goodbye')
  assert.is((await command('status')).code, 0)
  assert.is(await balancer.stop(), 0)
})

test('scale changes the number of workers; drain takes a slot out of service, restart brings it back', async () => {
  const { balancer, visit, command } = await sharedSite()
  await balancer.untilAllReady()
  const pool = async () => (await balancer.status()).pools[0] as BalancerStatus['pools'][0]
  assert.is((await command('scale', 'web', '+1')).code, 0)
  assert.is((await pool()).ready, 3)
  assert.is((await command('scale', '2')).code, 0)
  assert.is((await pool()).workers.length, 2)
  assert.is((await command('scale', '-2')).code, 2, 'one is the least')
  assert.is((await command('drain', 'web/0')).code, 0)
  const { held, ready, workers } = await pool()
  assert.equal([held, ready, workers.map(({ slot }) => slot)], [[0], 1, [1]])
  assert.match(await visit(), / hello$/)
  assert.match((await command('status')).out, "'balancer restart web/0' brings it back")
  assert.is((await command('restart', '0')).code, 0)
  assert.equal([(await pool()).held, (await pool()).ready], [[], 2])
  const [old] = (await pool()).workers.filter(({ slot }) => slot === 1)
  assert.is((await command('restart', 'web/1')).code, 0)
  assert.is.not((await pool()).workers.find(({ slot }) => slot === 1)?.pid, old?.pid)
  assert.is((await command('drain', 'web/7')).code, 2)
})

test('a reload follows a link that a deployment has moved', async () => {
  const folder = temporaryFolder()
  for (const release of ['1', '2']) {
    mkdirSync(join(folder, release))
    writeFileSync(join(folder, release, 'server.mjs'), appOf(`release ${release},`))
    writeFileSync(join(folder, release, 'balancer.config.json'), configOf({ env: { GREETING: `config ${release}` } }))
  }
  const link = join(folder, 'current')
  symlinkSync(join(folder, '1'), link)
  const configFile = join(link, 'balancer.config.json')
  const balancer = await startBalancer({ configFile })
  const visit = async (): Promise<string> => (await exchange(balancer.port, get('/'))).body.toString()
  assert.is(await visit(), 'release 1, config 1')
  rmSync(link)
  symlinkSync(join(folder, '2'), link)
  const { code, err } = await runCommand(balancer, ['reload', '--config', configFile])
  assert.is(code, 0, err)
  assert.is(await visit(), 'release 2, config 2')
  assert.is(await balancer.stop(), 0)
})

test('with --watch a changed file reloads', async () => {
  const { balancer, write, visit } = await startSite({ args: () => ['--watch'] })
  await balancer.untilLine(({ msg }) => msg.startsWith('reloads when a file changes in '), 'the watch')
  write('server.mjs', appOf('two'))
  await balancer.untilLine(({ msg }) => msg === 'reload: 2 workers of web replaced', 'the reload')
  assert.is(await visit(), 'two hello')
  write('server.mjs', 'throw new Error("not yet")')
  await balancer.untilLine(({ msg }) => /^reload failed: .*not yet/s.test(msg), 'the failure')
  assert.is(await visit(), 'two hello')
  write('server.mjs', appOf('three'))
  await until(async () => (await visit()) === 'three hello')
  assert.is(await balancer.stop(), 0)
})

test.run()
