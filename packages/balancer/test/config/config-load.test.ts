// Finding and reading the config file: named or found in the folder, in every language, and without reading any other file.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { atSuiteEnd, suite } from '../../../../test/suite.ts'
import { readSettings } from '../../src/cli/command-settings.ts'
import { loadConfig } from '../../src/config/load-config.ts'
import { findPm2File, isPm2File } from '../../src/config/pm2-file.ts'
import { findApp, whyNoApp, whyNotRunnable } from '../../src/config/pool/app.ts'
import { resolveSettings } from '../../src/config/resolve.ts'
import { BalancerError } from '../../src/errors.ts'

const test = suite('config load')
const base = mkdtempSync(join(tmpdir(), 'switchyard-load-'))
atSuiteEnd(() => rmSync(base, { recursive: true }))

let folders = 0
function folderWith(files: Record<string, string>): string {
  const folder = join(base, String(folders++))
  mkdirSync(folder)
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder, name, '..'), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  return folder
}

const languages: [file: string, text: string][] = [
  ['balancer.config.ts', 'interface A { app: string }\nexport default { app: "x" } satisfies A'],
  ['balancer.config.mts', 'export default { app: "x" as string }'],
  ['balancer.config.js', 'export default { app: "x" }'],
  ['balancer.config.mjs', 'export default await Promise.resolve({ app: "x" })'],
  ['balancer.config.cjs', 'module.exports = { app: "x" }'],
  ['balancer.config.json', '{ "app": "x" }'],
  ['balancer.config.ts', 'export default async () => ({ app: "x" })'],
]
for (const [file, text] of languages) {
  test(`${file}: ${text.split('\n').at(-1)}`, async () => {
    const folder = folderWith({ [file]: text })
    assert.equal(await loadConfig({ folder }), { config: { app: 'x' }, file: join(folder, file), folder })
  })
}

test('policies are passed on as the same objects', async () => {
  const folder = folderWith({
    'balancer.config.ts':
      'class Own { name = "own"; pick() { return undefined } }\nexport default { policy: new Own(), routes: [{ policy: (c) => c[0] }] }',
  })
  const loaded = (await loadConfig({ folder })) as { config: { policy: { pick: unknown }; routes: { policy: unknown }[] } }
  assert.type(loaded.config.policy.pick, 'function')
  assert.type(loaded.config.routes[0]?.policy, 'function')
})

test('a config can import the balancer that reads it, without an installation beside it', async () => {
  const folder = folderWith({
    'balancer.config.ts': "import { defineConfig } from '@switchyard/balancer'\nexport default defineConfig({ app: 'x' })",
  })
  // The built balancer, whose modules need no transformation.
  const built = await import('@switchyard/balancer')
  assert.equal((await built.loadConfig({ folder }))?.config, { app: 'x' })
})

test('a named file is read, and relative paths start from its folder', async () => {
  const folder = folderWith({ 'conf/production.ts': 'export default { app: "y" }', 'balancer.config.json': '{}' })
  assert.equal(await loadConfig({ folder, file: 'conf/production.ts' }), {
    config: { app: 'y' },
    file: join(folder, 'conf/production.ts'),
    folder: join(folder, 'conf'),
  })
})

test('no other file is read', async () => {
  const folder = folderWith({ '.balancerrc': 'app=rc', '.env': 'SWITCHYARD_TEST_ENV=1', 'package.json': '{"balancer":{"app":"package"}}' })
  assert.is(await loadConfig({ folder }), undefined)
  writeFileSync(join(folder, 'balancer.config.json'), '{"extends":"./other","$production":{"app":"z"}}')
  assert.equal((await loadConfig({ folder }))?.config, { extends: './other', $production: { app: 'z' } })
  assert.is(process.env.SWITCHYARD_TEST_ENV, undefined)
})

/** Reads a config, changes files, and reads it again. */
async function readTwice(files: Record<string, string>, changed: Record<string, string>): Promise<unknown[]> {
  const folder = folderWith(files)
  const first = (await loadConfig({ folder }))?.config
  for (const [name, text] of Object.entries(changed)) writeFileSync(join(folder, name), text)
  return [first, (await loadConfig({ folder }))?.config]
}

for (const [file, text] of languages) {
  test(`read afresh: ${file}`, async () => {
    assert.equal(await readTwice({ [file]: text }, { [file]: text.replaceAll('"x"', '"y"') }), [{ app: 'x' }, { app: 'y' }])
  })
}

const imported: [file: string, importer: string, before: string, after: string][] = [
  ['other.ts', "import app from './other.ts'\nexport default { app }", "export default 'x' as string", "export default 'y' as string"],
  ['other.mjs', "import { app } from './other.mjs'\nexport default { app }", "export const app = 'x'", "export const app = 'y'"],
  ['other.cjs', "import { app } from './other.cjs'\nexport default { app }", "exports.app = 'x'", "exports.app = 'y'"],
  ['other.json', "import { app } from './other.json'\nexport default { app }", '{"app":"x"}', '{"app":"y"}'],
  [
    'deep/er.js',
    "const { app } = await import('./deep/er.js')\nexport default { app }",
    "export const app = 'x'",
    "export const app = 'y'",
  ],
]
for (const [file, importer, before, after] of imported) {
  for (const config of ['balancer.config.ts', 'balancer.config.mjs']) {
    test(`read afresh: ${file}, which ${config} imports`, async () => {
      assert.equal(await readTwice({ [config]: importer, [file]: before }, { [file]: after }), [{ app: 'x' }, { app: 'y' }])
    })
  }
}

test('read afresh: what an imported file imports', async () => {
  const files = {
    'balancer.config.ts': "import { app } from './one.ts'\nexport default { app }",
    'one.ts': "export { app } from './two.ts'",
    'two.ts': "import data from './data.json'\nexport const app: string = data.app",
    'data.json': '{"app":"x"}',
  }
  assert.equal(await readTwice(files, { 'data.json': '{"app":"y"}' }), [{ app: 'x' }, { app: 'y' }])
})

test('a config with a syntax error is read again once it is corrected', async () => {
  const folder = folderWith({ 'balancer.config.ts': 'export default {' })
  assert.is(await loadConfig({ folder }).catch(({ code }) => code), 'ERR_CONFIG')
  writeFileSync(join(folder, 'balancer.config.ts'), 'export default { app: "x" }')
  assert.equal((await loadConfig({ folder }))?.config, { app: 'x' })
})

const errorOf = (files: Record<string, string>, file?: string): Promise<BalancerError> =>
  thrownBy(() => loadConfig({ folder: folderWith(files), file }))

async function thrownBy(read: () => Promise<unknown>): Promise<BalancerError> {
  try {
    await read()
  } catch (error) {
    assert.instance(error, BalancerError)
    return error as BalancerError
  }
  throw new Error('the config was read without an error')
}

test('the error of a config that throws names the file and the line', async () => {
  const error = await errorOf({ 'balancer.config.ts': 'throw new Error("no database")' })
  assert.is(error.code, 'ERR_CONFIG')
  assert.match(error.message, /balancer\.config\.ts can't be read: no database \(line 1\)$/)
})

test('the error of a config with a syntax error names the file', async () => {
  assert.match((await errorOf({ 'balancer.config.ts': 'export default {' })).message, /balancer\.config\.ts can't be read/)
  assert.match((await errorOf({ 'balancer.config.json': '{ "app": }' })).message, /balancer\.config\.json can't be read/)
})

test('the error of a missing file names it', async () => {
  assert.match((await errorOf({}, 'nowhere.ts')).message, /^There is no config file \/.*nowhere\.ts$/)
})

test('an app is found as Node finds it', () => {
  const folder = folderWith({
    'a.js': '',
    'b.mjs': '',
    'c.ts': '',
    'd/package.json': '{"main":"lib/start"}',
    'd/lib/start.cjs': '',
    'e/index.js': '',
    'f/package.json': 'garbage',
    'f/index.mts': '',
    'g/x': '',
  })
  const found = (app: string) => findApp(app, folder)?.slice(folder.length + 1)
  assert.equal(['a', 'a.js', './b', 'c', 'd', 'e', 'e/', 'f', 'g', 'h'].map(found), [
    'a.js',
    'a.js',
    'b.mjs',
    'c.ts',
    'd/lib/start.cjs',
    'e/index.js',
    'e/index.js',
    'f/index.mts',
    undefined,
    undefined,
  ])
  assert.is(findApp(join(folder, 'a.js'), '/elsewhere'), join(folder, 'a.js'))
})

const pm2Files: [file: string, text: string][] = [
  ['ecosystem.config.js', 'module.exports = { apps: [{ name: "x", script: "./web.js", instances: 4 }] }'],
  ['ecosystem.config.cjs', "exports.apps = [{ 'script': 'web.js', 'instances': 4 }]"],
  ['prod.config.mjs', 'export const apps = [{ script: ["web", "js"].join("."), instances: 4 }]'],
  ['pm2.config.mjs', 'export default async () => ({ apps: [{ script: "web.js", instances: 4 }] })'],
  ['ecosystem.json', '{"apps":[{"name":"x","script":"web.js","instances":4}]}'],
  ['process.json', '{ // one app\n "name":"x","script":"web.js","instances":4, }'],
  ['process.yml', 'apps:\n  - script: ./web.js\n    instances: 4\n'],
]
for (const [file, text] of pm2Files) {
  test(`a file for PM2 serves as the config, and in place of the app: ${file}`, async () => {
    const folder = folderWith({ [file]: text, 'web.js': 'server.listen(1)' })
    const ways = [{ config: file }, { app: file }]
    for (const way of ways) {
      const { settings } = await readSettings(way, { cwd: folder, env: {} })
      assert.equal(
        settings.pools.map(({ app, workers }) => [app, workers]),
        [[join(folder, 'web.js'), 4]],
      )
      assert.is(settings.file, join(folder, file))
    }
    assert.is((await thrownBy(async () => resolveSettings({ app: file }, { folder }))).code, 'ERR_CONFIG')
    const { message } = await thrownBy(() => readSettings({}, { cwd: folder, env: {} }))
    assert.match(message, 'There is no app and no config here.')
    if (findPm2File(folder) !== undefined) assert.match(message, `${file} is a file for PM2: 'balancer start ${file}' runs its apps`)
  })
}

test('a file that only resembles one for PM2 is not taken for it', () => {
  const folder = folderWith({
    'app.config.js': 'listen({ apps: [] })',
    'server.js': 'module.exports = { apps: [{ script: "x.js" }] }',
    'package.json': '{ "scripts": { "start": "node x.js" } }',
    'process.js': 'process.exit(0)',
  })
  for (const file of ['app.config.js', 'server.js', 'package.json', 'process.js', 'nowhere.json'])
    assert.is(isPm2File(join(folder, file)), false)
  assert.is(findPm2File(folder), undefined)
})

test('what is chosen from a file for PM2 needs one', async () => {
  const folder = folderWith({ 'web.js': '', 'balancer.config.json': '{ "app": "web.js" }' })
  for (const choice of [{ env: 'production' }, { only: 'web' }, { app: 'web.js', env: 'production' }])
    assert.match(
      (await thrownBy(() => readSettings(choice, { cwd: folder, env: {} }))).message,
      '--env and --only choose from a file for PM2',
    )
})

test('faults after the conversion name the option of the file for PM2', async () => {
  const folder = folderWith({
    'ecosystem.config.js':
      'module.exports = { apps: [{ name: "a", script: "web.js", user: "nobody-of-this-name" }, { name: "b", script: "wb.js" }] }',
    'web.js': 'server.listen(1)',
  })
  const { message } = await thrownBy(() => readSettings({ config: 'ecosystem.config.js' }, { cwd: folder, env: {} }))
  assert.match(message, /apps\[0\]\.user: /)
  assert.match(message, /apps\[1\]\.script: there is no app at .*wb\.js \(did you mean 'web\.js'\?\)/)
})

test('the fault of a missing app names what the folder has instead', () => {
  const folder = folderWith({ 'server.js': '', 'notes.md': '', 'empty/x.txt': '', 'broken/package.json': '{ "main": "lost.js" }' })
  const cases = {
    'sever.js': `there is no app at ${join(folder, 'sever.js')} (did you mean 'server.js'?)`,
    empty: `there is no app at ${join(folder, 'empty')}: this folder has no 'main' in a package.json and no index.js`,
    broken: `there is no app at ${join(folder, 'broken')}: this folder has no lost.js, which its package.json names as 'main', and no index.js`,
  }
  for (const [app, message] of Object.entries(cases)) assert.ok(whyNoApp(app, folder).startsWith(message), whyNoApp(app, folder))
  assert.is(whyNotRunnable(join(folder, 'notes.md')), `${join(folder, 'notes.md')} is not a program: name a file such as server.js`)
  assert.is(whyNotRunnable(join(folder, 'server.js')), undefined)
})

const unreadable: [what: string, file: string, text: string, message: RegExp][] = [
  [
    'throws',
    'a.config.ts',
    'const x: any = 1\nexport default () => {\n  throw new Error("no zone\\n here")\n}',
    /can't be read: no zone here \(line 3\)$/,
  ],
  ['does not parse', 'a.config.mjs', 'export default {', /can't be read: ParseError: .*a\.config\.mjs:1/],
  ['has no export', 'a.config.ts', 'export const listen = 3000', /exports no config: write 'export default/],
  ['is empty', 'a.config.mjs', '', /exports no config: write 'export default/],
]
for (const [what, file, text, message] of unreadable) {
  test(`a config that ${what}: one line with the place`, async () => {
    const folder = folderWith({ [file]: text })
    assert.match((await thrownBy(() => loadConfig({ file, folder }))).message, message)
  })
}

test('a folder is not a config file', async () => {
  const folder = folderWith({ 'sub/x.js': '' })
  assert.match((await thrownBy(() => loadConfig({ file: 'sub', folder }))).message, 'is a folder, not a config file')
})

test.run()
