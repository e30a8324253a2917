// `npm start` and its end: a signal that ends npm, even SIGKILL, ends the demo too.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { assert, atSuiteEnd, suite } from '../../../../test/suite.ts'
import { type LoggedChild, spawnLogged } from '../../../../test/support/spawn.ts'
import { until } from '../../../../test/support/until.ts'

const test = suite('npm start', { timeoutMs: 60_000 })
const demo = fileURLToPath(new URL('../../../../scripts/demo.mjs', import.meta.url))

const folder = mkdtempSync(join(tmpdir(), 'switchyard-start-'))
const OPTIONS = '--instances 1 --listen 127.0.0.1:0 --admin off --control off --no-pretty'
// As in the checkout, but without the build, which would change files under other tests.
writeFileSync(join(folder, 'package.json'), JSON.stringify({ scripts: { start: `"${process.execPath}" "${demo}" ${OPTIONS}` } }))
atSuiteEnd(() => rmSync(folder, { recursive: true }))

/** The demo as npm runs it, and the pid of its balancer. */
async function started(): Promise<{ npm: LoggedChild; balancer: number }> {
  // This npm is not run by the npm that runs the tests.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('npm_')))
  const npm = spawnLogged('npm', ['start'], { cwd: folder, env })
  await npm.untilOutput(/"msg":"ready: /, 40_000)
  return { npm, balancer: balancerOf(npm.process.pid as number) }
}

/** The descendant that runs the balancer. */
function balancerOf(pid: number): number {
  const children = readFileSync(join('/proc', String(pid), 'task', String(pid), 'children'), 'utf8')
    .trim()
    .split(' ')
    .filter(Boolean)
    .map(Number)
  for (const child of children) {
    if (readFileSync(`/proc/${child}/cmdline`, 'utf8').includes('balancer.js')) return child
    const found = balancerOf(child)
    if (found > 0) return found
  }
  return 0
}

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

const signals = ['SIGTERM', 'SIGHUP', 'SIGKILL'] as const
/** A demo for each signal, all started at the same time. */
const demos = signals.map(() => started())
// The test that awaits it reports the fault.
for (const demo of demos) demo.catch(() => {})

for (const [index, signal] of signals.entries()) {
  test(`${signal} to npm alone: the balancer drains and ends`, async () => {
    const { npm, balancer } = await (demos[index] as (typeof demos)[number])
    assert.ok(isAlive(balancer))
    npm.process.kill(signal)
    await until(() => !isAlive(balancer), 20_000, `the end of the balancer in\n${npm.output()}`)
    assert.match(npm.output(), '"msg":"stopped"')
    await npm.ended
  })
}

test.run()
