// Single slots under steady load: scaling, a slot out of service, a restart, and a slot that fails too often. The tests share one
// balancer.

import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { assert, suite } from '../../../../test/suite.ts'
import type { PoolStatus } from '../../src/status.ts'
import { runCommand } from './support/commands.ts'
import { type RunningBalancer, startBalancer, temporaryFolder } from './support/running-balancer.ts'
import { SteadyClients } from './support/steady-clients.ts'

const test = suite('slots', { timeoutMs: 60_000 })
const file = join(temporaryFolder(), 'broken')

let balancer: RunningBalancer
let steady: SteadyClients

test.before(async () => {
  balancer = await startBalancer({
    config: {
      app: 'slot-app.mjs',
      pools: { web: { workers: 2 } },
      ...{ restartDelayMs: 5, maxRestartDelayMs: 5, maxRestarts: 2 },
    },
    env: { BROKEN_FILE: file },
  })
  await balancer.untilAllReady()
  steady = new SteadyClients({ target: balancer.port })
})

test.after(async () => {
  assert.equal((await steady.end()).faults, [])
  assert.is(await balancer.stop(), 0)
})

/** Pids of the ready workers by slot. */
async function workerSlots(): Promise<Record<number, number>> {
  const pool = (await balancer.status()).pools[0] as PoolStatus
  const ready = pool.workers.filter(({ state }) => state === 'ready')
  return Object.fromEntries(ready.map(({ slot, pid }) => [slot, pid]))
}

/** How often workers of this slot were started. */
function startsOf(slot: number): number {
  return balancer.lines.filter(({ msg }) => msg.startsWith(`web/${slot} started`)).length
}

/** Runs a command that must succeed. No request may have failed. */
async function succeeds(...args: string[]): Promise<Record<number, number>> {
  const { code, err } = await runCommand(balancer, args)
  assert.is(code, 0, err)
  assert.equal(steady.collect().faults, [])
  return workerSlots()
}

async function refused(exitCode: number, says: RegExp, ...args: string[]): Promise<void> {
  const before = await workerSlots()
  const { code, err } = await runCommand(balancer, args)
  assert.is(code, exitCode, err)
  assert.match(err, says)
  assert.equal(await workerSlots(), before)
}

test('scaling up and down keeps the other workers', async () => {
  const two = await workerSlots()
  const four = await succeeds('scale', 'web', '4')
  assert.equal(Object.keys(four), ['0', '1', '2', '3'])
  assert.equal({ ...four, ...two }, four)
  const five = await succeeds('scale', '+1')
  assert.is(five[3], four[3])
  assert.equal(Object.keys(five).length, 5)
  assert.equal(await succeeds('scale', 'web', '-3'), two)
})

test('an impossible number of workers and an unknown pool are refused', async () => {
  await refused(2, /expected a number of workers/, 'scale', 'web', '0')
  await refused(2, /at least one worker/, 'scale', 'web', '-2')
  await refused(2, /no pool 'other'/, 'scale', 'other', '3')
  await refused(2, /Expected a worker|expected/i, 'scale', 'web', 'many')
})

test('a slot out of service stays empty until it is restarted', async () => {
  const { 1: second } = await workerSlots()
  assert.equal(await succeeds('drain', 'web/0'), { 1: second })
  assert.equal((await balancer.status()).pools[0]?.held, [0])
  const after = await succeeds('restart', 'web/0')
  assert.is(after[1], second)
  assert.ok(after[0] !== undefined)
  assert.equal((await balancer.status()).pools[0]?.held, [])
})

test('a restart starts the new worker before it stops the old one', async () => {
  const before = await workerSlots()
  const after = await succeeds('restart', 'web/1')
  assert.is(after[0], before[0])
  assert.is.not(after[1], before[1])
  await refused(2, /no 7|slots 0 to 1/, 'restart', 'web/7')
})

test('a failed restart keeps the old worker and says why', async () => {
  writeFileSync(file, '1')
  await refused(4, /no disk here/, 'restart', 'web/1')
  rmSync(file)
  await balancer.untilAllReady()
  assert.equal(steady.collect().faults, [])
})

test('a slot that fails too often is broken: the status shows it, the pool serves on, and a restart repairs it', async () => {
  const { 0: first, 1: second } = await workerSlots()
  const startsBefore = startsOf(1)
  writeFileSync(file, '1')
  process.kill(second as number, 'SIGKILL')
  await balancer.untilStatus(({ pools }) => pools[0]?.broken.includes(1) === true, 'the broken slot')
  await balancer.untilLine(({ msg }) => /^web\/1 is broken/.test(msg), 'the line of the broken slot')
  // Requests of the killed worker are lost.
  steady.collect()
  const { code, out } = await runCommand(balancer, ['status'])
  assert.is(code, 0)
  assert.match(out, /web\/1 has failed too often and is not started again/)
  assert.equal((await balancer.status()).pools[0]?.broken, [1])
  assert.equal((await steady.next(20)).faults, [])
  const starts = startsOf(1) - startsBefore
  await refused(4, /no disk here/, 'restart', 'web/1')
  rmSync(file)
  const mended = await succeeds('restart', 'web/1')
  assert.is(mended[0], first)
  assert.ok(mended[1] !== undefined)
  assert.equal((await balancer.status()).pools[0]?.broken, [])
  assert.ok(starts <= 8, `it was started ${starts} times`)
})

test('no request fails while slots come and go', async () => {
  await succeeds('scale', 'web', '3')
  await succeeds('drain', 'web/2')
  await succeeds('scale', 'web', '2')
  assert.equal((await steady.next(8)).faults, [])
})

test.run()
