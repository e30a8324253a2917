// `balancer init`: each kind of app gets a config that passes `balancer check` and the compiler, and the lines that it needs.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { assert, atSuiteEnd, suite } from '../../../../../test/suite.ts'
import type { main as Main } from '../../../src/cli/main.ts'
import { fakeIo } from '../../support/fake-balancer.ts'

const test = suite('init', { timeoutMs: 30_000 })
const root = mkdtempSync(join(tmpdir(), 'switchyard-init-'))
atSuiteEnd(() => rmSync(root, { recursive: true }))

const balancerFolder = fileURLToPath(new URL('../../../', import.meta.url))
const require = createRequire(import.meta.url)

// The packages that the written configs import, for all folders below.
const links = {
  '@switchyard/balancer': balancerFolder,
  '@types/node': dirname(createRequire(join(balancerFolder, '../../package.json')).resolve('@types/node/package.json')),
}
for (const [name, target] of Object.entries(links)) {
  mkdirSync(dirname(join(root, 'node_modules', name)), { recursive: true })
  symlinkSync(target, join(root, 'node_modules', name))
}
writeFile(
  root,
  'node_modules/@socket.io/cluster-adapter/package.json',
  '{"name":"@socket.io/cluster-adapter","types":"index.d.ts","main":"index.js"}',
)
writeFile(root, 'node_modules/@socket.io/cluster-adapter/index.d.ts', 'export declare function setupPrimary(): void')
writeFile(root, 'node_modules/@socket.io/cluster-adapter/index.js', 'exports.setupPrimary = () => {}')

// As built: configs import the balancer, and tsx would compile all of it again for each.
const { main } = (await import(join(balancerFolder, 'dist/cli/main.js'))) as { main: typeof Main }

let folders = 0

function writeFile(folder: string, name: string, text: string): void {
  mkdirSync(dirname(join(folder, name)), { recursive: true })
  writeFileSync(join(folder, name), text)
}

type Files = Record<string, string | object>

function folderWith(files: Files): string {
  const folder = join(root, `app-${folders++}`)
  mkdirSync(folder)
  for (const [name, text] of Object.entries(files)) writeFile(folder, name, typeof text === 'string' ? text : JSON.stringify(text))
  return folder
}

async function run(folder: string, ...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const io = fakeIo(folder)
  const code = await main(args, io)
  return { code, out: io.stdout.text, err: io.stderr.text }
}

interface Kind {
  readonly name: string
  readonly files: Files
  /** The name of the config. */
  readonly config: string
  /** Parts of the config. */
  readonly has?: readonly string[]
  readonly hasNot?: readonly string[]
  /** Parts of the output. */
  readonly says?: readonly string[]
}

const POLLING = "{ path: '/socket.io/*', policy: sticky({ by: ticket(), otherwise: leastInFlight() }) },"
const STICKY = "{ path: '/*', policy: sticky({ by: learn('connect.sid') }) },"

const kinds: readonly Kind[] = [
  {
    name: 'a bare server without package.json',
    files: { 'server.js': "require('http').createServer().listen(3000)" },
    config: 'balancer.config.mjs',
    has: ["import { defineConfig } from '@switchyard/balancer'", "app: './server.js',", "workers: 'max',"],
    hasNot: ['routes:', 'execArgv', 'secret'],
    says: ['app: ./server.js, found by its name', "'balancer check'"],
  },
  {
    name: 'express with sessions in memory, in CommonJS',
    files: {
      'package.json': {
        main: 'index.js',
        scripts: { start: 'NODE_ENV=production node --enable-source-maps ./bin/app.js --verbose' },
        dependencies: { express: '5', 'express-session': '1' },
      },
      'index.js': '',
      'bin/app.js': "const session = require('express-session')\napp.set('trust proxy', 1)\napp.get('/healthz')",
    },
    config: 'balancer.config.mjs',
    has: ["app: './bin/app.js',", "args: ['--verbose'],", STICKY, "// readyWhen: '/healthz',", '// trustedProxies:'],
    says: [
      "script 'start' of package.json",
      'uses: express, express-session',
      "const { expressSessions } = require('@switchyard/worker-runtime/express-session')",
    ],
  },
  {
    name: 'express-session with a cookie of its own',
    files: {
      'package.json': { type: 'module', main: 'app.js' },
      'app.js': "import './web/session.js'",
      'web/session.js': "import session from 'express-session'\nexport default session({ cookie: { secure: true }, name: 'shop.sid' })",
    },
    config: 'balancer.config.js',
    has: ["learn('shop.sid')"],
    says: ["found by 'main' of package.json", "import { expressSessions } from '@switchyard/worker-runtime/express-session'"],
  },
  {
    name: 'sessions in Redis already',
    files: { 'package.json': { dependencies: { express: '5', 'express-session': '1', 'connect-redis': '9' } }, 'server.js': '' },
    config: 'balancer.config.mjs',
    hasNot: ['sticky', 'routes'],
  },
  {
    name: 'sessions shared by Switchyard already',
    files: {
      'server.mjs': "import session from 'express-session'\nimport { expressSessions } from '@switchyard/worker-runtime/express-session'",
    },
    config: 'balancer.config.mjs',
    hasNot: ['sticky'],
  },
  {
    name: 'fastify with sessions',
    files: {
      'package.json': { type: 'module', scripts: { start: 'node src/server.js' } },
      'src/server.js': "import Fastify from 'fastify'\nimport fastifySession from '@fastify/session'",
    },
    config: 'balancer.config.js',
    has: ["app: './src/server.js',", "learn('sessionId')"],
    says: ["import { fastifySessions } from '@switchyard/worker-runtime/fastify-session'", 'idGenerator: store.newId'],
  },
  {
    name: 'fastify-cli',
    files: {
      'package.json': { scripts: { start: 'fastify start -l info app.js' }, dependencies: { fastify: '5' } },
      'app.js': '',
      'node_modules/fastify-cli/cli.js': '',
    },
    config: 'balancer.config.mjs',
    has: ["app: './node_modules/fastify-cli/cli.js',", "args: ['start', '-l', 'info', 'app.js'],"],
  },
  {
    name: 'socket.io in TypeScript',
    files: {
      'package.json': {
        type: 'module',
        scripts: { start: 'tsx src/server.ts' },
        dependencies: { 'socket.io': '4', ws: '8' },
        devDependencies: { typescript: '5', tsx: '4' },
      },
      'tsconfig.json': '{}',
      'src/server.ts': "import { io } from './io.js'",
      'src/io.ts':
        "import { Server } from 'socket.io'\nexport const io = new Server(createServer(app), {\n  cors: { origin: '*' },\n  path: '/live',\n})",
    },
    config: 'balancer.config.ts',
    has: [
      "{ path: '/live/*', policy: sticky({ by: ticket(), otherwise: leastInFlight() }) },",
      "execArgv: ['--import', 'tsx'],",
      '// secret: process.env.SWITCHYARD_SECRET,',
    ],
    hasNot: ['upgrade', 'setupPrimary'],
    says: ["import { stickyIds } from '@switchyard/worker-runtime'", 'stickyIds(io.engine)', 'io.adapter(createAdapter())'],
  },
  {
    name: 'socket.io with its adapter, compiled to CommonJS, not built yet',
    files: {
      'package.json': {
        scripts: { build: 'tsc', start: 'npm run build && node dist/server' },
        dependencies: { 'socket.io': '4', '@socket.io/cluster-adapter': '0.3' },
        devDependencies: { typescript: '5' },
      },
      'dist/server.js': "const io = require('socket.io')(server); stickyIds(io.engine)",
    },
    config: 'balancer.config.mts',
    has: [POLLING, 'setupPrimary()\n'],
  },
  {
    name: 'websockets and node:cluster',
    files: {
      'package.json': { dependencies: { ws: '8' } },
      'server.js': 'if (cluster.isPrimary) cluster.fork()\n// new Server(a, { path: "/no" })',
    },
    config: 'balancer.config.mjs',
    has: ["{ header: { upgrade: 'websocket' }, policy: leastInFlight() },"],
    says: ['uses node:cluster itself'],
  },
  {
    name: 'Next.js',
    files: {
      'package.json': { scripts: { dev: 'next dev', build: 'next build', start: 'next start' }, dependencies: { next: '16' } },
      'tsconfig.json': '{}',
      'node_modules/next/dist/bin/next': '',
    },
    config: 'balancer.config.mts',
    has: ["app: './node_modules/next/dist/bin/next',", "args: ['start'],"],
    says: ['uses: next'],
  },
  {
    name: 'an app whose path has a quote',
    files: { "it's/server.js": '', 'package.json': { main: "it's/server.js" } },
    config: 'balancer.config.mjs',
    has: ["app: './it\\'s/server.js',"],
  },
]

const written: string[] = []

for (const { name, files, config, has = [], hasNot = [], says = [] } of kinds)
  test(`${name}: the config passes check`, async () => {
    const folder = folderWith(files)
    const printed = await run(folder, 'init', '--print')
    assert.is(printed.code, 0, printed.err)
    assert.not(existsSync(join(folder, config)), 'printed only')
    const { code, out, err } = await run(folder, 'init')
    assert.is(code, 0, err)
    assert.match(out, `Wrote ${config}.`)
    const text = readFileSync(join(folder, config), 'utf8')
    assert.is(printed.out, text)
    for (const part of has) assert.match(text, part)
    for (const part of hasNot) assert.not.match(text, part)
    for (const part of says) assert.match(out, part)
    const checked = await run(folder, 'check')
    assert.is(checked.code, 0, checked.err)
    assert.not.match(checked.out, 'Warning')
    written.push(join(folder, config))
    writeFileSync(join(folder, config), text.replaceAll(/^( *)\/\/ (\w+: .*,)$/gm, '$1$2'))
    const uncommented = await run(folder, 'check')
    assert.is(uncommented.code, 0, uncommented.err)
  })

test('every written config passes the compiler, strictly, with both ways of resolution', () => {
  assert.is(written.length, kinds.length)
  const compiler = join(dirname(require.resolve('typescript/package.json')), 'bin/tsc')
  for (const [module, resolution] of [
    ['node16', 'node16'],
    ['esnext', 'bundler'],
  ]) {
    const compilerOptions = {
      strict: true,
      noEmit: true,
      allowJs: true,
      checkJs: true,
      target: 'es2022',
      types: ['node'],
      module,
      moduleResolution: resolution,
      noUnusedLocals: true,
    }
    // Once is enough for the declarations of the packages.
    const skipLibCheck = resolution === 'bundler'
    writeFile(root, 'tsconfig.json', JSON.stringify({ compilerOptions: { ...compilerOptions, skipLibCheck }, files: written }))
    const { status, stdout } = spawnSync(process.execPath, [compiler, '-p', root], { encoding: 'utf8' })
    assert.is(status, 0, `${resolution}: ${stdout}`)
  }
})

test('a config that is there stays, unless --force', async () => {
  const folder = folderWith({ 'server.js': '', 'balancer.config.ts': 'export default { app: "server.js" }' })
  const { code, err } = await run(folder, 'init')
  assert.is(code, 2)
  assert.match(err, 'There is a config already')
  assert.match(err, '--force')
  assert.match(readFileSync(join(folder, 'balancer.config.ts'), 'utf8'), 'export default { app')
  assert.is((await run(folder, 'init', '--force')).code, 0)
  assert.match(readFileSync(join(folder, 'balancer.config.ts'), 'utf8'), 'defineConfig')
  assert.not(existsSync(join(folder, 'balancer.config.mjs')), 'a second config would be ignored')
})

test('a config in JSON is not overwritten with code', async () => {
  const folder = folderWith({ 'server.js': '', 'balancer.config.json': '{}' })
  const { code, err } = await run(folder, 'init', '--force')
  assert.is(code, 2)
  assert.match(err, 'another format')
  assert.is(readFileSync(join(folder, 'balancer.config.json'), 'utf8'), '{}')
})

test('the app may be named', async () => {
  const folder = folderWith({ 'server.js': '', 'other/main.js': '' })
  const { code, out } = await run(folder, 'init', 'other/main')
  assert.is(code, 0)
  assert.match(out, 'app: ./other/main.js, found by the command line')
  const wrong = await run(folder, 'init', '--force', 'sever.js')
  assert.is(wrong.code, 2)
  assert.match(wrong.err, 'server.js')
})

test('a build that is missing is written down, and the user is told to run it', async () => {
  const folder = folderWith({ 'package.json': { scripts: { build: 'tsc', start: 'node dist/server.js' } }, 'src/server.ts': '' })
  const { code, out } = await run(folder, 'init')
  assert.is(code, 0)
  assert.match(out, "./dist/server.js is not there yet. Run 'npm run build' first.")
})

test('without an app, with a broken package.json, or in a folder that cannot be written: an error says what to do', async () => {
  const empty = await run(folderWith({}), 'init')
  assert.is(empty.code, 2)
  assert.match(empty.err, "Name the file: 'balancer init path/to/server.js'")
  const broken = await run(folderWith({ 'package.json': '{', 'server.js': '' }), 'init')
  assert.is(broken.code, 2)
  assert.match(broken.err, "package.json can't be read")
  const folder = folderWith({ 'server.js': '' })
  symlinkSync(join(folder, 'missing', 'x'), join(folder, 'balancer.config.mjs'))
  const unwritable = await run(folder, 'init')
  assert.is(unwritable.code, 2)
  assert.match(unwritable.err, "can't be written")
})

test.run()
