// The config file: found in the folder or named, in every language it may be written in, and nothing beside it is read.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { atSuiteEnd, suite } from '../../../test/suite.ts'
import { findApp } from '../src/config/app.ts'
import { loadConfig } from '../src/config/load.ts'
import { BalancerError } from '../src/errors.ts'

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

test('policies stay what they are', async () => {
  const folder = folderWith({
    'balancer.config.ts':
      'class Own { name = "own"; pick() { return undefined } }\nexport default { policy: new Own(), routes: [{ policy: (c) => c[0] }] }',
  })
  const loaded = (await loadConfig({ folder })) as { config: { policy: { pick: unknown }; routes: { policy: unknown }[] } }
  assert.type(loaded.config.policy.pick, 'function')
  assert.type(loaded.config.routes[0]?.policy, 'function')
})

test('a config finds the balancer that reads it, wherever that is', async () => {
  const folder = folderWith({
    'balancer.config.ts': "import { defineConfig } from '@switchyard/balancer'\nexport default defineConfig({ app: 'x' })",
  })
  assert.equal((await loadConfig({ folder }))?.config, { app: 'x' })
})

test('a named file is read, and its folder is where paths start', async () => {
  const folder = folderWith({ 'conf/production.ts': 'export default { app: "y" }', 'balancer.config.json': '{}' })
  assert.equal(await loadConfig({ folder, file: 'conf/production.ts' }), {
    config: { app: 'y' },
    file: join(folder, 'conf/production.ts'),
    folder: join(folder, 'conf'),
  })
})

test('nothing beside the config is read', async () => {
  const folder = folderWith({ '.balancerrc': 'app=rc', '.env': 'SWITCHYARD_TEST_ENV=1', 'package.json': '{"balancer":{"app":"package"}}' })
  assert.is(await loadConfig({ folder }), undefined)
  writeFileSync(join(folder, 'balancer.config.json'), '{"extends":"./other","$production":{"app":"z"}}')
  assert.equal((await loadConfig({ folder }))?.config, { extends: './other', $production: { app: 'z' } })
  assert.is(process.env.SWITCHYARD_TEST_ENV, undefined)
})

/** Reads a config, changes the file, and reads it again. */
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

test('read afresh: what a file that is imported imports', async () => {
  const files = {
    'balancer.config.ts': "import { app } from './one.ts'\nexport default { app }",
    'one.ts': "export { app } from './two.ts'",
    'two.ts': "import data from './data.json'\nexport const app: string = data.app",
    'data.json': '{"app":"x"}',
  }
  assert.equal(await readTwice(files, { 'data.json': '{"app":"y"}' }), [{ app: 'x' }, { app: 'y' }])
})

test('a faulty one is told, and read again when it is mended', async () => {
  const folder = folderWith({ 'balancer.config.ts': 'export default {' })
  assert.is(await loadConfig({ folder }).catch(({ code }) => code), 'ERR_CONFIG')
  writeFileSync(join(folder, 'balancer.config.ts'), 'export default { app: "x" }')
  assert.equal((await loadConfig({ folder }))?.config, { app: 'x' })
})

async function errorOf(files: Record<string, string>, file?: string): Promise<BalancerError> {
  try {
    await loadConfig({ folder: folderWith(files), file })
  } catch (error) {
    assert.instance(error, BalancerError)
    return error as BalancerError
  }
  throw new Error('it was read')
}

test('a config that throws is named', async () => {
  const error = await errorOf({ 'balancer.config.ts': 'throw new Error("no database")' })
  assert.is(error.code, 'ERR_CONFIG')
  assert.match(error.message, /balancer\.config\.ts can't be read: no database$/)
})

test('a config that does not parse is named', async () => {
  assert.match((await errorOf({ 'balancer.config.ts': 'export default {' })).message, /balancer\.config\.ts can't be read/)
  assert.match((await errorOf({ 'balancer.config.json': '{ "app": }' })).message, /balancer\.config\.json can't be read/)
})

test('a named file that is not there is named', async () => {
  assert.match((await errorOf({}, 'nowhere.ts')).message, /^There is no config file \/.*nowhere\.ts$/)
})

test('an app is found as Node would find it', () => {
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

test.run()
