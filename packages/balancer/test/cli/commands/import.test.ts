// `balancer import`: the config that it prints or writes, and what it says of each option.

import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { assert, atSuiteEnd, suite } from '../../../../../test/suite.ts'
import type { main as Main } from '../../../src/cli/main.ts'
import { fakeIo } from '../../support/fake-balancer.ts'

const test = suite('balancer import', { timeoutMs: 20_000 })
const balancerFolder = fileURLToPath(new URL('../../../', import.meta.url))
const root = mkdtempSync(join(tmpdir(), 'switchyard-import-'))
atSuiteEnd(() => rmSync(root, { recursive: true }))

// The package that the written configs import, for all folders below.
mkdirSync(join(root, 'node_modules/@switchyard'), { recursive: true })
symlinkSync(balancerFolder, join(root, 'node_modules/@switchyard/balancer'))

// As built: configs import the balancer, and tsx would compile all of it again for each.
const { main } = (await import(join(balancerFolder, 'dist/cli/main.js'))) as { main: typeof Main }

const FILE = `module.exports = {
  apps: [
    { name: 'shop', script: './shop.js', instances: 2, env: { PORT: 3000, KEY: process.env.SHOP_KEY }, env_production: { NODE_ENV: 'production' }, kill_timeout: 5000 },
    { name: 'admin', script: './shop.js', port: 4000, pid_file: 'x.pid' },
  ],
}
`

function folderWith(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(root, 'app-'))
  for (const [name, text] of Object.entries({ 'shop.js': 'server.listen(process.env.PORT)', ...files }))
    writeFileSync(join(folder, name), text)
  return folder
}

async function run(folder: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const io = fakeIo(folder, env)
  const code = await main(['import', ...args], io)
  return { code, out: io.stdout.text, err: io.stderr.text }
}

test('prints the config on stdout, and what becomes of each option on stderr', async () => {
  const folder = folderWith({ 'ecosystem.config.js': FILE })
  process.env.SHOP_KEY = 'secret of the shop'
  const { code, out, err } = await run(folder, ['ecosystem.config.js', '--env', 'production'], process.env)
  delete process.env.SHOP_KEY
  assert.is(code, 0)
  assert.is(
    out,
    `// Made from ecosystem.config.js by 'balancer import ecosystem.config.js --env production'. 'balancer check' prints what it means.
//
// Not taken over:
//   admin: pid_file: 'balancer status --json' has the process ids of all workers

import { defineConfig } from '@switchyard/balancer'

export default defineConfig({
  pools: {
    shop: {
      app: './shop.js', // script
      env: { PORT: '3000', KEY: process.env.SHOP_KEY, NODE_ENV: 'production' }, // env_production
      workers: 2, // instances
      stopTimeoutMs: 5000, // kill_timeout
    },
    admin: {
      app: './shop.js', // script
      env: { PORT: '4000' }, // port
      workers: 1,
    },
  },
  routes: [{ listener: 3000, pool: 'shop' }, { listener: 4000, pool: 'admin' }],
})
`,
  )
  assert.match(
    err,
    /^ecosystem\.config\.js: 2 apps become pools: shop, admin\.\n12 options: 1 missing, 1 different, 10 the same, 0 not needed\.\n/,
  )
  assert.match(err, /\nadmin\nOPTION .*\npid_file +missing +'balancer status --json'/)
  assert.match(err, /\nkill_timeout +same +pools\.shop\.stopTimeoutMs: requests in flight have drainTimeoutMs/)
})

test('finds the file for PM2 of the folder', async () => {
  assert.is((await run(folderWith({ 'pm2.config.cjs': FILE }), [])).code, 0)
  const { code, err } = await run(folderWith({}), [])
  assert.is(code, 2)
  assert.match(err, /There is no file for PM2 in .*: name it, as in 'balancer import ecosystem\.config\.js' \(ERR_CONFIG\)/)
  assert.match((await run(folderWith({}), ['x.json'])).err, /There is no file .*x\.json/)
})

const names: [files: Readonly<Record<string, string>>, name: string][] = [
  [{}, 'balancer.config.mjs'],
  [{ 'package.json': '{ "type": "module" }' }, 'balancer.config.js'],
  [{ 'tsconfig.json': '{}' }, 'balancer.config.mts'],
  [{ 'package.json': '{ "type": "module", "devDependencies": { "typescript": "7" } }' }, 'balancer.config.ts'],
]
for (const [files, name] of names) {
  test(`--write makes ${name}, which means the same`, async () => {
    const folder = folderWith({ 'ecosystem.config.js': FILE, ...files })
    const { code, out } = await run(folder, ['--write'])
    assert.is(code, 0)
    assert.match(out, `Wrote ${name}.`)
    assert.match(out, "Next: 'balancer check' prints what the config means, and 'balancer start' runs the apps.")
    const io = fakeIo(folder, {})
    assert.is(await main(['check'], io), 0)
    assert.match(io.stdout.text, /0 +\/\* on 3000 +shop/)
  })
}

test('a config that is there is kept, unless --force says so', async () => {
  const folder = folderWith({ 'ecosystem.config.js': FILE, 'balancer.config.mjs': 'export default {}' })
  const refused = await run(folder, ['--write'])
  assert.is(refused.code, 2)
  assert.match(refused.err, /There is a config already: .*balancer\.config\.mjs\. .*--force overwrites balancer\.config\.mjs/)
  assert.is(readFileSync(join(folder, 'balancer.config.mjs'), 'utf8'), 'export default {}')
  assert.is((await run(folder, ['--write', '--force'])).code, 0)
  assert.match(readFileSync(join(folder, 'balancer.config.mjs'), 'utf8'), 'Made from ecosystem.config.js')
  const other = folderWith({ 'ecosystem.config.js': FILE, 'balancer.config.json': '{}' })
  const stays = await run(other, ['--write', '--force'])
  assert.is(stays.code, 2)
  assert.match(stays.err, /balancer\.config\.json would still be read, and not balancer\.config\.mjs/)
  assert.not(existsSync(join(other, 'balancer.config.mjs')))
})

test('--json prints config and options for machines', async () => {
  const folder = folderWith({ 'ecosystem.config.js': FILE })
  const { code, out, err } = await run(folder, ['--json', '--only', 'admin'])
  assert.is(code, 0)
  assert.is(err, '')
  const { result } = JSON.parse(out)
  assert.equal(result.config, { pools: { admin: { app: join(folder, 'shop.js'), env: { PORT: '4000' }, workers: 1 } } })
  assert.equal(
    result.options.map((one: { option: string; state: string }) => [one.option, one.state]),
    [
      ['name', 'same'],
      ['script', 'same'],
      ['port', 'same'],
      ['pid_file', 'missing'],
      ['instances', 'same'],
    ],
  )
  assert.equal(result.leftOut, [])
})

test('an error has an exit code of its own', async () => {
  const { code, err } = await run(folderWith({ 'ecosystem.config.js': 'throw new Error("no zone")' }), ['ecosystem.config.js'])
  assert.is(code, 2)
  assert.match(err, /^balancer: .*can't be read: no zone \(line 1\) \(ERR_CONFIG\)\n$/)
})

/** Values that are hard to write as code. */
const hard = {
  "it's": 'a \'quote\', a "double" one, a \\ and a `$`',
  'with space': 'line\nbreak\u2028\t\u0000 // not a comment',
  UNICODE: 'süß 🚂',
  LONG: 'x'.repeat(200),
  __proto: '1',
}

test('what is written means the same as what was converted', async () => {
  const app = {
    name: 'x y',
    script: './shop.js',
    env: hard,
    args: ["it's", '--a=" b"', ''],
    node_args: '--no-warnings',
    watch: true,
    out_file: './logs/a b.log',
  }
  const folder = folderWith({
    'ecosystem.config.js': `module.exports = ${JSON.stringify({ apps: [app, { ...app, name: 'z', cwd: '..' }] })}`,
  })
  const { out } = await run(folder, ['--json'])
  assert.is((await run(folder, ['--write'])).code, 0)
  const written = (await import(join(folder, 'balancer.config.mjs'))) as { default: unknown }
  assert.equal(absolute(written.default, folder), JSON.parse(out).result.config)
})

test('a file in another folder keeps its working directory', async () => {
  const folder = folderWith({})
  mkdirSync(join(folder, 'deploy'))
  writeFileSync(join(folder, 'deploy/ecosystem.config.js'), "module.exports = [{ script: 'app.js' }, { script: 'shop.js' }]")
  writeFileSync(join(folder, 'deploy/app.js'), 'server.listen(1)')
  const { out } = await run(folder, ['deploy/ecosystem.config.js'])
  assert.match(out, "app: './deploy/app.js', // script\n      cwd: './deploy',")
  assert.match(out, "app: './shop.js', // script\n      workers: 1,")
})

test('variables that the file passes on are not written', async () => {
  const folder = folderWith({ 'ecosystem.config.js': "module.exports = { script: './shop.js', env: { ...process.env, OWN: 'x' } }" })
  const { out } = await run(folder, [], { ...process.env })
  assert.match(out, "env: { OWN: 'x' }")
  assert.not.match(out, 'PATH:')
})

/** With the paths of a config from a folder made absolute. */
function absolute(config: unknown, folder: string): unknown {
  const whole = (value: unknown, key: string): unknown => {
    if (typeof value === 'string') return ['app', 'cwd', 'folder'].includes(key) ? join(folder, value) : value
    if (Array.isArray(value)) return value.map((one) => whole(one, key))
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, whole(one, key === 'env' ? '' : name)]))
  }
  return whole(config, '')
}

test.run()
