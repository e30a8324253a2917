// Failed reloads: the old workers stay and serve every request, and the command says why it failed. The tests share one balancer.

import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { assert, suite } from '../../../../test/suite.ts'
import type { BalancerConfig, PoolConfig } from '../../src/config/config.ts'
import { runCommand } from './support/commands.ts'
import { type RunningBalancer, startBalancer, temporaryFolder } from './support/running-balancer.ts'
import { SteadyClients } from './support/steady-clients.ts'

/** Start timeout of apps that listen but do not become ready, and of apps that never listen. */
const START_MS = 3_000
const NEVER_MS = 300
const LATE = new RegExp(`web/0: the app did not listen within ${NEVER_MS} ms \\(startTimeoutMs\\)`)
const test = suite('bad deploys', { timeoutMs: 60_000 })

const app = join(temporaryFolder(), 'app.mjs')
let balancer: RunningBalancer
let steady: SteadyClients
/** The version that serves. */
let version = 0
let descriptors = 0

/** An app that answers with its version and its process. */
const serves = (text: string | number, more = ''): string =>
  `import { createServer } from 'node:http'
createServer((request, response) => {
  ${more}
  response.end('${text} ' + process.pid)
}).listen(3000)
`

function config({ pool = {}, limits = {} }: Pick<Deploy, 'pool' | 'limits'> = {}): BalancerConfig {
  return { app, pools: { web: { workers: 2, reload: { settleMs: 100 }, ...pool } }, restartDelayMs: 10, ...limits }
}

async function pidsNow(): Promise<string> {
  const { pools } = await balancer.untilAllReady()
  return pools.flatMap(({ workers }) => workers.map(({ slot, pid }) => `${slot}: ${pid}`)).join(', ')
}

/** Blocks the loop without using CPU time. */
const HANGS = 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)'

interface Deploy {
  /** The app's new source; undefined: its file is gone. */
  readonly source: string | undefined
  readonly pool?: PoolConfig
  readonly limits?: Pick<BalancerConfig, 'startTimeoutMs'>
  readonly exitCode?: number
  readonly says: RegExp
}

const deploys: Readonly<Record<string, Deploy>> = {
  'a syntax error': { source: 'const = 1', says: /web\/0: SyntaxError: Unexpected token '='; exit code 1/ },
  'an app that throws at its start': {
    source: `throw new TypeError('no database here')`,
    says: /web\/0: TypeError: no database here; exit code 1/,
  },
  'an app that rejects at its start': {
    source: `await Promise.reject(new Error('no cache here'))`,
    says: /web\/0: Error: no cache here; exit code 1/,
  },
  'an app that exits at once without output': { source: 'process.exit(0)', says: /web\/0: exit code 0/ },
  'an app that listens, serves, and exits a moment later': {
    source: `${serves('bad')} setTimeout(() => { console.error('lost my lease'); process.exit(3) }, 300)`,
    pool: { reload: { settleMs: 10_000 } },
    says: /web\/0: lost my lease; exit code 3/,
  },
  'an app that never listens': {
    source: 'setInterval(() => {}, 1000)',
    limits: { startTimeoutMs: NEVER_MS },
    says: LATE,
  },
  'an app that listens but fails its probe': {
    source: serves('bad', `if (request.url === '/ready') return response.writeHead(500).end('no queue here')`),
    pool: { readyWhen: { path: '/ready', intervalMs: 50 } },
    limits: { startTimeoutMs: START_MS },
    says: new RegExp(
      `web/0: the app listens, but its readyWhen probe did not pass within ${START_MS} ms \\(startTimeoutMs\\): /ready: 500`,
    ),
  },
  'an app that hangs before it listens': { source: HANGS, limits: { startTimeoutMs: NEVER_MS }, says: LATE },
  'an app that hangs after it listens': {
    source: `${serves('bad')} setTimeout(() => { ${HANGS} }, 50)`,
    limits: { startTimeoutMs: 4_000 },
    says: /web\/0: its event loop hangs/,
  },
  'an app that grows to its hard memory limit': {
    source: `${serves('bad')} setTimeout(() => { globalThis.eaten = Buffer.alloc(300e6, 1) }, 50)`,
    pool: { maxMemory: { hard: '250M' }, reload: { settleMs: 10_000 } },
    says: /web\/0: it has \d+ MB, more than 250 MB \(maxMemory\.hard\)/,
  },
  'an app that starts above its soft memory limit': {
    source: `globalThis.eaten = Buffer.alloc(200e6, 1)\n${serves('bad')}`,
    pool: { maxMemory: { soft: '150M' }, reload: { settleMs: 10_000 } },
    says: /web\/0: it has \d+ MB, more than 150 MB \(maxMemory\.soft\)/,
  },
  'an app that exhausts its heap': {
    source: `const eaten = []\nfor (;;) eaten.push(new Array(1000).fill(eaten.length))`,
    pool: { execArgv: ['--max-old-space-size=30'] },
    says: /web\/0: FATAL ERROR: .*heap out of memory; killed by SIGABRT/,
  },
  'an app whose file is missing': { source: undefined, exitCode: 2, says: /there is no app at .*app\.mjs/i },
}

test.before(async () => {
  writeFileSync(app, serves(version))
  balancer = await startBalancer({ config: config() })
  await pidsNow()
  descriptors = balancer.descriptors
  steady = new SteadyClients({ target: balancer.port })
})

test.after(async () => {
  const { faults, answers } = await steady.end()
  assert.equal(faults, [])
  for (const answer of answers) assert.match(answer, `/: ${version} `)
  await balancer.untilDescriptors(descriptors)
  assert.is(balancer.child.stderr(), '')
  assert.is(await balancer.stop(), 0)
})

/** Runs a reload that must fail. The workers must be the same, and no request may have failed. */
async function fails(exitCode: number, says: RegExp): Promise<void> {
  const pids = await pidsNow()
  steady.collect()
  const { code, err } = await runCommand(balancer, ['reload'])
  assert.is(code, exitCode, err)
  assert.match(err, says)
  assert.is(await pidsNow(), pids, 'the same workers')
  const { count, faults, answers } = steady.collect()
  assert.equal(faults, [])
  assert.ok(count > 0, 'requests during the reload')
  for (const answer of answers) assert.match(answer, `/: ${version} `)
}

for (const [name, deploy] of Object.entries(deploys)) {
  const { source, exitCode = 6, says } = deploy
  test(`${name}: exit code ${exitCode} with the reason, and the old workers serve on`, async () => {
    if (source === undefined) rmSync(app)
    else writeFileSync(app, source)
    balancer.configure(config(deploy))
    await fails(exitCode, says)
  })
}

test('a config with faults: exit code 2 with all faults, and nothing changes', async () => {
  balancer.configure({ ...config({ pool: { workers: 0 } }), drainTimeoutMs: -1 })
  await fails(2, /pools\.web\.workers: .*\n(.*\n)*.*drainTimeoutMs: /)
})

test('a good version after a failed one replaces every worker without a failed request', async () => {
  writeFileSync(app, 'const = 1')
  balancer.configure(config())
  await fails(6, /SyntaxError/)
  const before = await pidsNow()
  writeFileSync(app, serves(version + 1))
  const { code, err } = await runCommand(balancer, ['reload'])
  assert.is(code, 0, err)
  version++
  for (const pid of (await pidsNow()).split(', ')) assert.not.match(before, pid)
  const { faults } = steady.collect()
  assert.equal(faults, [])
  // Requests that are under way now may still have the old version.
  await steady.next(8)
})

test('a failed reload leaves nothing behind', async () => {
  writeFileSync(app, 'process.exit(0)')
  balancer.configure(config())
  await fails(6, /exit code 0/)
  await balancer.untilDescriptors(descriptors)
  assert.is(balancer.child.stderr(), '')
})

test.run()
