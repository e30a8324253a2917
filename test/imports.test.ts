// Holds every source of the workspace to the import table, and the check itself to breaches planted here.

import { readdirSync, readFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { breaches, type Source } from './import-table.ts'
import { assert, suite } from './suite.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const test = suite('imports')

function sourcesBelow(folder: string): Source[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return /^(node_modules|dist|build|test|soak|native|public)$/.test(entry.name) ? [] : sourcesBelow(path)
    if (!/\.[cm]?[jt]s$/.test(entry.name)) return []
    return [{ file: relative(root, path).split(sep).join('/'), text: readFileSync(path, 'utf8') }]
  })
}

function allSources(): Source[] {
  const packages = readdirSync(join(root, 'packages')).flatMap((name) =>
    sourcesBelow(join(root, 'packages', name, name === 'examples' ? '' : 'src')),
  )
  return [...packages, ...sourcesBelow(join(root, 'bench'))]
}

test('the sources keep to the table', () => {
  const sources = allSources()
  for (const name of ['routing', 'handoff', 'sessions', 'worker-runtime', 'balancer']) {
    assert.ok(
      sources.some(({ file }) => file.startsWith(`packages/${name}/src/`)),
      `no sources of ${name} were read`,
    )
  }
  assert.equal(breaches(sources), [])
})

const planted: readonly [title: string, file: string, text: string, breach: RegExp][] = [
  ['a package above', 'packages/routing/src/a.ts', "import { x } from '@switchyard/handoff'", /routing imports handoff/],
  ['a subpath of one above', 'packages/handoff/src/a.ts', "import '@switchyard/worker-runtime/register'", /handoff imports worker-runtime/],
  [
    'workers in sessions',
    'packages/sessions/src/a.ts',
    "import type { X } from '@switchyard/worker-runtime'",
    /sessions imports worker-runtime/,
  ],
  [
    'a type from above',
    'packages/worker-runtime/src/a.ts',
    "import type { X } from '@switchyard/balancer'",
    /worker-runtime imports balancer/,
  ],
  ['a re-export from above', 'packages/handoff/src/a.ts', "export * from '@switchyard/balancer'", /handoff imports balancer/],
  ['a dynamic import', 'packages/handoff/src/a.ts', "const x = await import('@switchyard/balancer')", /handoff imports balancer/],
  [
    'an import over several lines',
    'packages/handoff/src/a.ts',
    "import {\n  x,\n} from '@switchyard/balancer'",
    /handoff imports balancer/,
  ],
  ['an example in a package', 'packages/balancer/src/cli/a.ts', "import x from '@switchyard/examples'", /balancer imports examples/],
  [
    'the files of another package',
    'packages/handoff/src/a.ts',
    "import { x } from '../../routing/src/load.ts'",
    /reaches into packages\/routing\/src\/load\.ts/,
  ],
  ['config from the pool', 'packages/balancer/src/dispatch/a.ts', "import { x } from '../config/load-config.ts'", /above it/],
  [
    'dispatch from supervision, a type',
    'packages/balancer/src/supervisor/a.ts',
    "import type { X } from '../dispatch/pool.ts'",
    /above it/,
  ],
  ['one transport from the other', 'packages/handoff/src/portable/a.ts', "import { x } from '../native/native-link.ts'", /above it/],
  ['drain from the server', 'packages/worker-runtime/src/server/a.ts', "import { x } from '../drain/drain.ts'", /above it/],
  ['the balancer from supervision', 'packages/balancer/src/supervisor/a.ts', "import { x } from '../balancer.ts'", /above it/],
  ['the pool from events', 'packages/balancer/src/events.ts', "import { x } from './dispatch/pool.ts'", /above it/],
  ['the command line from config', 'packages/balancer/src/config/a.ts', "import { x } from '../cli/commands/start.ts'", /above it/],
  ['a file without a floor', 'packages/balancer/src/helpers/a.ts', '', /no floor/],
  ['cluster in the balancer', 'packages/balancer/src/balancer.ts', "import cluster from 'node:cluster'", /spawn\.ts/],
  ['cluster in a worker', 'packages/worker-runtime/src/a.ts', "const cluster = require('cluster')", /spawn\.ts/],
  ['a private handle', 'packages/balancer/src/dispatch/a.ts', 'socket._handle.readStop()', /private handle/],
  ['a socket in routing', 'packages/routing/src/a.ts', "import { isIP } from 'node:net'", /routing is pure/],
  ['the file system in routing', 'packages/routing/src/a.ts', "import fs from 'fs'", /routing is pure/],
  ['a clock in routing', 'packages/routing/src/a.ts', 'const now = Date.now()', /no clock/],
  ['chance in routing', 'packages/routing/src/a.ts', 'const n = Math.random()', /no chance/],
  ['code between strings that look like comments', 'packages/routing/src/a.ts', "f('/*'); Date.now(); f('*/')", /no clock/],
]

for (const [title, file, text, breach] of planted) {
  test(`catches ${title}`, () => {
    const found = breaches([{ file, text }])
    assert.is(found.length, 1, found.join('\n'))
    assert.match(found[0] ?? '', breach)
  })
}

test('catches a second file that imports ioredis', () => {
  const text = "import { Redis } from 'ioredis'"
  const found = breaches([
    { file: 'packages/worker-runtime/src/a.ts', text },
    { file: 'packages/balancer/src/admin/b.ts', text },
  ])
  assert.is(found.length, 1)
  assert.match(found[0] ?? '', /one file owns it/)
})

const allowed: readonly [title: string, file: string, text: string][] = [
  [
    'downwards',
    'packages/balancer/src/balancer.ts',
    "import { a } from '@switchyard/routing'\nimport { b } from './dispatch/pool.ts'\nimport { c } from './events.ts'",
  ],
  ['beside', 'packages/balancer/src/supervisor/a.ts', "import { x } from './plan.ts'"],
  ['cluster in spawn.ts', 'packages/balancer/src/supervisor/workers/spawn.ts', "import cluster from 'node:cluster'"],
  ['a comment that speaks of a clock', 'packages/routing/src/a.ts', "// unlike Date.now()\n/* import 'node:fs' */"],
  ['handles in node-internals', 'packages/handoff/src/node-internals/a.ts', 'socket._handle.readStop()'],
]

for (const [title, file, text] of allowed) {
  test(`allows ${title}`, () => assert.equal(breaches([{ file, text }]), []))
}

test.run()
