// Files for PM2 that are wrong: each gets one error that says where and what.

import { join } from 'node:path'
import { assert, suite } from '../../../../../test/suite.ts'
import { importPm2 } from '../../../src/config/load-config.ts'
import type { Pm2Choice } from '../../../src/config/pm2/convert.ts'
import { readPm2File } from '../../../src/config/pm2/read-file.ts'
import { BalancerError } from '../../../src/errors.ts'
import { APPS, folderWith, imported } from './imported.ts'

const test = suite('bad files for PM2', { timeoutMs: 20_000 })

async function errorOf(name: string, text: string, choice: Pm2Choice = {}): Promise<string> {
  const folder = folderWith({ ...APPS, [name]: text })
  return thrown(() => importPm2(join(folder, name), { ...choice, cwd: folder, cpus: () => 4 }))
}

async function thrown(act: () => Promise<unknown>): Promise<string> {
  const error = await act().then(
    () => undefined,
    (error: unknown) => error,
  )
  assert.instance(error, BalancerError)
  assert.is((error as BalancerError).code, 'ERR_CONFIG')
  return (error as BalancerError).message
}

const apps = (...all: object[]) => `module.exports = ${JSON.stringify({ apps: all })}`

const bad: [title: string, name: string, text: string, message: RegExp, choice?: Pm2Choice][] = [
  [
    'throws',
    'a.config.js',
    'const x = 1\nthrow new Error("no zone")\nmodule.exports = { apps: [] }',
    /a\.config\.js can't be read: no zone \(line 2\)$/,
  ],
  ['rejects', 'a.config.js', 'module.exports = Promise.reject(new Error("no zone"))', /can't be read: no zone/],
  ['has a function that throws', 'a.config.cjs', 'module.exports = () => { throw new Error("no zone") }', /can't be read: no zone/],
  ['does not parse', 'a.config.mjs', 'export default {', /a\.config\.mjs can't be read: /],
  ['is broken YAML', 'process.yml', 'apps:\n  - script: app.js\n   x: [', /process\.yml can't be read: .*line 3/],
  ['is broken JSON', 'process.json', '{ "apps": [', /process\.json can't be read: /],
  ['is JSON that never ends', 'process.json', '{ "apps": (() => { for (;;) {} })() }', /process\.json can't be read: /],
  ['exports nothing', 'a.config.js', '', /names no apps\. It needs 'apps', a list of objects with 'script'$/],
  ['has an empty list', 'a.config.js', 'module.exports = { apps: [] }', /names no apps/],
  ['has apps that are no list', 'a.config.js', 'module.exports = { apps: "app.js" }', /names no apps/],
  [
    'has too many apps',
    'a.config.js',
    'module.exports = { apps: Array(201).fill({ script: "app.js" }) }',
    /names 201 apps, and 200 are the most/,
  ],
  [
    'has an app that is no object',
    'a.config.js',
    apps({ script: 'app.js' }).replace(']', ', 3]'),
    /has a fault:\n {2}apps\[1\]: expected an object, got 3$/,
  ],
  ['has an app without a script', 'a.config.js', apps({ name: 'x' }), /apps\[0\]\.script: is missing$/],
  [
    'has a count that is none',
    'a.config.js',
    apps({ script: 'app.js', instances: 'many' }),
    /apps\[0\]\.instances: expected a whole number or 'max', got 'many'$/,
  ],
  ['has a part of a worker', 'a.config.js', apps({ script: 'app.js', instances: 1.5 }), /apps\[0\]\.instances: expected .* got 1\.5$/],
  [
    'has another mode',
    'a.config.js',
    apps({ script: 'app.js', exec_mode: 'thread' }),
    /apps\[0\]\.exec_mode: expected 'cluster' or 'fork', got 'thread'$/,
  ],
  [
    'has a time that is none',
    'a.config.js',
    apps({ script: 'app.js', min_uptime: 'long' }),
    /apps\[0\]\.min_uptime: expected a number of milliseconds, or a time such as '10s'/,
  ],
  [
    'has too little memory',
    'a.config.js',
    apps({ script: 'app.js', max_memory_restart: '300' }),
    /apps\[0\]\.max_memory_restart: expected at least 1M, got '300'$/,
  ],
  [
    'has a pattern that is none',
    'a.config.js',
    apps({ script: 'app.js', cron: 5 }),
    /apps\[0\]\.cron: expected a cron pattern such as '0 3 \* \* \*', got 5$/,
  ],
  [
    'has variables in a text',
    'a.config.js',
    apps({ script: 'app.js', env: 'A=1' }),
    /apps\[0\]\.env: expected an object of names and values, got 'A=1'$/,
  ],
  [
    'has variables that refer to themselves',
    'a.config.js',
    'const a = {}; a.a = a; module.exports = { apps: [{ script: "app.js", env: { A: a } }] }',
    /apps\[0\]\.env: A can't be written as text$/,
  ],
  [
    'has exit codes that are none',
    'a.config.js',
    apps({ script: 'app.js', stop_exit_codes: ['x'] }),
    /apps\[0\]\.stop_exit_codes: expected an exit code, or a list of them/,
  ],
  [
    'has only apps of others',
    'a.config.js',
    apps({ name: 'p', script: 'tool.py', args: '-v' }, { name: 's', script: 'serve', args: '-s build' }),
    /has no app that the balancer can run:\n {2}p: tool\.py is written in Python, .* run it by systemd, in a unit with ExecStart=python3 tool\.py -v\n {2}s: 'serve -s build' is a command/,
  ],
  [
    'has another environment',
    'a.config.js',
    apps({ script: 'app.js', env_production: {} }),
    /--env: no app has env_prodution \(did you mean 'production'\?\)/,
    { env: 'prodution' },
  ],
  [
    'has other apps',
    'a.config.js',
    apps({ name: 'web', script: 'app.js' }),
    /--only: there is no app 'wep' \(did you mean 'web'\?\)/,
    { only: ['wep'] },
  ],
]
for (const [title, name, text, message, choice] of bad)
  test(`a file that ${title}`, async () => assert.match(await errorOf(name, text, choice), message))

test('all faults of a file come together', async () => {
  const message = await errorOf('a.config.js', apps({ script: 'app.js', instances: 'x', kill_timeout: 'y', uid: true, wait_ready: 1 }))
  assert.match(message, /has 4 faults:/)
})

test('a promise that never settles has a bound', async () => {
  const folder = folderWith({ 'a.config.js': '' })
  const message = await thrown(() => readPm2File(join(folder, 'a.config.js'), () => new Promise(() => {}), 20))
  assert.match(message, 'its promise is still pending after 20 ms')
})

test('a file that is too long is not read', async () => {
  assert.match(await errorOf('process.json', ' '.repeat(2 ** 20 + 1)), 'and 1048576 are the most')
})

test('scripts of package.json that call each other end', async () => {
  const text = apps({ name: 'loop', script: 'npm run a' }, { script: 'app.js' })
  const { findings } = await imported(text, {}, 'a.config.js', { 'package.json': '{ "scripts": { "a": "npm run b", "b": "npm run a" } }' })
  assert.match(findings.find(({ app }) => app === 'loop')?.note ?? '', 'call each other')
})

const good: [title: string, name: string, text: string][] = [
  ['is async', 'a.config.js', 'module.exports = async () => ({ apps: [{ script: "app.js" }] })'],
  ['is a promise', 'a.config.cjs', 'module.exports = Promise.resolve({ apps: [{ script: "app.js" }] })'],
  ['waits at its top', 'a.config.mjs', 'export const apps = await Promise.resolve([{ script: "app.js" }])'],
  ['is TypeScript', 'ecosystem.config.ts', 'const script: string = "app.js"\nexport default { apps: [{ script }] }'],
  ['has comments and trailing commas', 'a.json', '{ /* one */ apps: [{ "script": "app.js", },], // two\n }'],
  ['is the part of package.json', 'package.json', '{ "name": "x", "pm2": [{ "script": "app.js" }] }'],
  ['has an anchor', 'a.yaml', 'base: &base\n  script: app.js\napps:\n  - <<: *base\n'],
  ['has a byte order mark', 'a.json', '\uFEFF{ "apps": [{ "script": "app.js" }] }'],
]
for (const [title, name, text] of good) {
  test(`a file that ${title} is read`, async () => {
    const { config } = await imported(text, {}, name)
    assert.equal(config, { pools: { app: { app: './app.js', workers: 1 } } })
  })
}

test('paths may start where the command runs', async () => {
  const folder = folderWith({ 'app.js': APPS['app.js'] as string, 'deploy/ecosystem.config.js': apps({ script: './app.js' }) })
  const { pm2 } = await importPm2(join(folder, 'deploy/ecosystem.config.js'), { cwd: folder })
  assert.equal(pm2.config, { pools: { app: { app: join(folder, 'app.js'), cwd: folder, workers: 1 } } })
})

test.run()
