// The packages of a release in the hands of a newcomer: installed by npm, pnpm and yarn from a registry, without a compiler, and run.

import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { hasNative } from '../../packages/handoff/src/index.ts'
import { assert, atSuiteEnd, suite } from '../suite.ts'
import type { LoggedChild } from '../support/spawn.ts'
import { spawnLogged } from '../support/spawn.ts'
import { until } from '../support/until.ts'
import { type LocalRegistry, openLocalRegistry } from './local-registry.ts'
import { Newcomer } from './newcomer.ts'

const test = suite('installed packages', { timeoutMs: 60_000 })
const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const { packageManager } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { packageManager: string }
const START = ['start', 'server.js', '-i', '2', '--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0']
const BALANCER = './node_modules/.bin/balancer'
const CONFIG = `import { cookie, defineConfig, hash, leastInFlight, sticky, ticket } from '@switchyard/balancer'
import { stickyIds } from '@switchyard/worker-runtime'

export const used = stickyIds
export default defineConfig({
  app: './server.js',
  routes: [
    { path: '/socket.io/*', policy: sticky({ by: ticket(), otherwise: leastInFlight() }) },
    { path: '/cart/*', policy: sticky({ by: hash(cookie('connect.sid')), breakAt: 1.5 }) },
    { path: '/*', policy: (candidates, head) => candidates[head.target === '/' ? 0 : 1] },
  ],
})
`

let registry: LocalRegistry
let user: Newcomer
/** The folder into which npm has installed everything. */
let installed: string

test.before(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'packages-'))
  atSuiteEnd(() => rmSync(folder, { recursive: true, force: true }))
  const pack = spawnLogged(process.execPath, ['scripts/pack.mjs', '--here', folder], { cwd: ROOT })
  assert.is((await pack.ended).code, 0, pack.output())
  registry = await openLocalRegistry(folder)
  atSuiteEnd(() => registry.close())
  user = new Newcomer(registry.url)
  installed = user.app('npm', { 'balancer.config.ts': CONFIG })
  const output = await user.run(installed, 'npm', 'install', '@switchyard/balancer')
  assert.not.match(output, /install.scripts|deprecated|engine/i, output)
})

/** The balancer serves an app, over the native channel where there is one. */
async function serves(balancer: LoggedChild): Promise<void> {
  const [, address] = await balancer.untilOutput(/"msg":"ready: http:\/\/([^ ]+) /)
  assert.match(await text(`http://${address}/`), /^from web$/)
  const [, metrics] = await balancer.untilOutput(/"metrics":"http:\/\/([^/]+)\//)
  const { channel } = JSON.parse(await text(`http://${metrics}/status`)) as { channel: string }
  assert.is(channel, hasNative() ? 'native' : 'portable', balancer.output())
  assert.match(await text(`http://${metrics}/`), '/dashboard/main.js')
  for (const file of ['main.js', 'vendor/preact.js', 'vendor/uplot.js', 'vendor/licences.txt'])
    assert.ok((await text(`http://${metrics}/dashboard/${file}`)).length > 1_000, file)
}

async function servesAndStops(balancer: LoggedChild): Promise<void> {
  await serves(balancer)
  await balancer.stop()
  assert.is((await balancer.ended).code, 0, balancer.output())
}

async function text(url: string): Promise<string> {
  return (await fetch(url, { headers: { Connection: 'close' } })).text()
}

test('npm install brings a working balancer, with the module for this system only', async () => {
  await servesAndStops(user.start(installed, BALANCER, ...START))
  assert.is(registry.fetched.has(`@switchyard/handoff-linux-${process.arch}-gnu`), hasNative())
  assert.not(existsSync(join(installed, 'node_modules/@switchyard/handoff/build')), 'nothing was compiled')
})

test('both command names are one program', async () => {
  const [version, same] = [
    await user.run(installed, BALANCER, '--version'),
    await user.run(installed, './node_modules/.bin/switchyard', '--version'),
  ]
  assert.match(version, /^\d+\.\d+\.\d+\n$/)
  assert.is(same, version)
})

test('every package has its texts, metadata and types, and runs no script at its installation', () => {
  for (const name of ['balancer', 'handoff', 'routing', 'sessions', 'worker-runtime']) {
    const folder = join(installed, 'node_modules/@switchyard', name)
    const { scripts, repository, keywords, publishConfig, version, dependencies } = JSON.parse(
      readFileSync(join(folder, 'package.json'), 'utf8'),
    )
    assert.is(scripts, undefined)
    assert.ok(repository.url && keywords.length > 0 && publishConfig.provenance === true, name)
    for (const [other, range] of Object.entries(dependencies ?? {})) if (other.startsWith('@switchyard/')) assert.is(range, version)
    for (const file of ['README.md', 'LICENSE', 'CHANGELOG.md', 'dist/index.d.ts', 'dist/index.js.map']) {
      assert.ok(existsSync(join(folder, file)), `${name}/${file}`)
    }
  }
})

test('the packages can be imported and required', async () => {
  const names = "['@switchyard/balancer', '@switchyard/worker-runtime', '@switchyard/worker-runtime/express-session']"
  const required = await user.run(
    installed,
    'node',
    '-e',
    `for (const name of ${names}) console.log(Object.keys(require(name)).length > 0)`,
  )
  const code = `for (const name of ${names}) console.log(Object.keys(await import(name)).length > 0)`
  const imported = await user.run(installed, 'node', '--input-type=module', '-e', code)
  assert.equal([required, imported], ['true\ntrue\ntrue\n', 'true\ntrue\ntrue\n'])
})

for (const [module, resolution] of [
  ['node16', 'node16'],
  ['esnext', 'bundler'],
]) {
  for (const type of ['commonjs', 'module']) {
    test(`a config type-checks, strictly: module resolution ${resolution}, package type ${type}`, async () => {
      await user.run(installed, 'npm', 'pkg', 'set', `type=${type}`)
      const compiler = join(ROOT, 'node_modules/typescript/bin/tsc')
      const types = ['--types', 'node', '--typeRoots', join(ROOT, 'node_modules/@types')]
      const options = [
        '--strict',
        '--noEmit',
        '--target',
        'es2022',
        '--module',
        module as string,
        '--moduleResolution',
        resolution as string,
      ]
      const child = spawnLogged(process.execPath, [compiler, ...options, ...types, 'balancer.config.ts'], { cwd: installed })
      assert.is((await child.ended).code, 0, child.output())
      await user.run(installed, 'npm', 'pkg', 'delete', 'type')
    })
  }
}

test('npm installs from its cache without a network', async () => {
  const folder = user.app('offline')
  await user.run(folder, 'npm', 'install', '--offline', '@switchyard/balancer')
  await servesAndStops(user.start(folder, BALANCER, ...START))
})

test('npx runs it without an installation', async () => {
  const folder = user.app('npx')
  const command = ['--yes', '--package', '@switchyard/balancer', '--', 'balancer']
  const balancer = user.start(folder, 'npx', ...command, ...START)
  await serves(balancer)
  // npx does not pass signals on.
  assert.match(await user.run(folder, 'npx', ...command, 'stop'), /stopped/i)
  assert.is((await balancer.ended).code, 0, balancer.output())
})

for (const [name, version, ...add] of [
  ['pnpm', packageManager, 'add'],
  ['yarn', 'yarn@1.22.22', 'add', '--non-interactive'],
] as const) {
  test(`${name} add brings a working balancer`, async () => {
    const folder = user.app(name)
    await user.run(folder, 'npx', '--yes', version, ...add, '@switchyard/balancer')
    await servesAndStops(user.start(folder, BALANCER, ...START))
  })
}

test('a balancer that is installed in a release goes on when the release is removed', async () => {
  for (const name of ['r1', 'r2']) {
    const folder = user.app(name)
    await user.run(folder, 'npm', 'install', '--offline', '@switchyard/balancer')
  }
  const link = join(user.home, 'current')
  symlinkSync('r1', link)
  const balancer = user.start(link, join(link, BALANCER), ...START, '--control', join(user.home, 'control.sock'))
  const [, address] = await balancer.untilOutput(/"msg":"ready: http:\/\/([^ ]+) /)
  symlinkSync('r2', join(user.home, 'next'))
  renameSync(join(user.home, 'next'), link)
  rmSync(join(user.home, 'r1'), { recursive: true })
  const output = await user.run(user.folder('r2'), BALANCER, 'reload', '--control', join(user.home, 'control.sock'))
  assert.match(output, /2 workers/)
  await until(async () => /^from web/.test(await text(`http://${address}/`)))
  await balancer.stop()
})

test.run()
