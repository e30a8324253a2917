// Workers print numbered lines into log files, and what the files have is compared with what was printed.

import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { assert, atSuiteEnd } from '../../../../../test/suite.ts'
import { until } from '../../../../../test/support/until.ts'
import type { LogsConfig } from '../../../src/config/log-options.ts'
import { fileLines } from '../../../src/log-files/file-lines.ts'
import { runCommand } from './commands.ts'
import { exchange, get, thinkTime } from './raw-client.ts'
import { type RunningBalancer, startBalancer, temporaryFolder } from './running-balancer.ts'
import { killNewPrimariesAtEnd, untilGone, upgrade } from './upgradable-balancer.ts'

const LENGTH = 200
/** A worker each. */
const POOLS = ['a', 'b', 'c', 'd']
const MEMORY_SLACK_KIB = 160 * 1024

export interface PrintRunOptions {
  /** At most 4. */
  readonly workers: number
  /** Of all workers. */
  readonly bytes: number
  readonly logs?: LogsConfig
}

/** Every line must be in the files once and whole. Logs the time, and the memory of the primary. */
export async function printEverything({ workers, bytes, logs }: PrintRunOptions): Promise<void> {
  const folder = temporaryFolder()
  const pools = POOLS.slice(0, workers)
  const balancer = await printers(pools, { folder, rotate: { size: '8M', keep: 10_000 }, ...logs })
  const before = memoryKib(balancer.pid)
  const memory = watchMemory(balancer.pid)
  const begun = performance.now()
  const printed = await printOn(balancer, pools, Math.ceil(bytes / LENGTH / workers))
  const seconds = (performance.now() - begun) / 1000
  const { log } = await balancer.status()
  const most = memory.stop()
  console.log(
    `${(bytes / 1e6).toFixed(0)} MB in ${seconds.toFixed(1)} s; the primary had ${mib(before)} before and at most ${mib(most)}; ${log?.dropped} dropped`,
  )
  assert.is(await balancer.stop(), 0)
  const found = await readBack(folder)
  assert.equal(found.torn.slice(0, 5), [])
  for (const [worker, count] of printed) assert.is(found.lines.get(worker)?.size, count, `lines of ${worker}`)
  assert.ok(most - before < MEMORY_SLACK_KIB, `the memory grew from ${mib(before)} to ${mib(most)}`)
}

/** Prints more than the disk has room for, until room is made. Needs the right to mount. */
export async function printOnFullDisk({ workers, bytes }: PrintRunOptions): Promise<void> {
  const pools = POOLS.slice(0, workers)
  const [disk, filler] = [1.2 * bytes, 0.8 * bytes].map(Math.round) as [number, number]
  const folder = temporaryFolder()
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${disk}`, 'tmpfs', folder])
  atSuiteEnd(() => void execFileSync('umount', ['-l', folder]))
  const logs = join(folder, 'logs')
  mkdirSync(logs)
  const balancer = await printers(pools, { folder: logs, rotate: { size: '1M', keep: 10_000, compress: false } })
  const traffic = steadyTraffic(balancer)
  const lines = Math.ceil(bytes / LENGTH / workers)
  const printed = await printOn(balancer, pools, Math.ceil(lines / 6))
  writeFileSync(join(folder, 'filler'), Buffer.alloc(filler))
  for (const [worker, count] of await printOn(balancer, pools, Math.ceil((lines * 2) / 3))) printed.set(worker, count)
  await balancer.untilLine(({ msg }) => msg.includes('ENOSPC'), 'the warning')
  rmSync(join(folder, 'filler'))
  await until(async () => (await balancer.status()).log?.failure === null, 10_000, 'writing')
  for (const [worker, count] of await printOn(balancer, pools, Math.ceil(lines / 6))) printed.set(worker, count)
  const failures = await traffic.stop()
  const { log } = await balancer.status()
  assert.is(await balancer.stop(), 0)
  const found = await readBack(logs)
  const kept = [...found.lines.values()].reduce((sum, one) => sum + one.size, 0)
  const all = [...printed.values()].reduce((sum, one) => sum + one, 0)
  console.log(
    `${all} lines printed, ${kept} written, ${log?.dropped} dropped, ${found.gaps} counted in the files; ${traffic.count()} requests`,
  )
  assert.is(failures, 0)
  assert.equal(found.torn.slice(0, 5), [])
  assert.ok(log !== null && log.dropped > 0, 'the disk was never full for long enough')
  assert.is(log.dropped, all - kept)
  assert.is(found.gaps, log.dropped)
  assert.is(balancer.lines.filter(({ msg }) => msg.includes('ENOSPC')).length, 1)
}

/** Workers print while they are reloaded and the primary is upgraded: every line must be in the files once and whole. */
export async function printThroughReplacements(): Promise<void> {
  const folder = temporaryFolder()
  const pools = POOLS.slice(0, 2)
  const balancer = await printers(pools, { folder, rotate: { size: '64K', keep: 10_000 } })
  killNewPrimariesAtEnd(balancer)
  const printed = new Map<string, number>()
  let isOver = false
  const printing = (async () => {
    for (; !isOver; await thinkTime(10)) for (const [worker, count] of await printOn(balancer, pools, 100)) printed.set(worker, count)
  })()
  assert.is((await runCommand(balancer, ['reload'])).code, 0)
  const old = balancer.pid
  balancer.newPrimaryPid = await upgrade(balancer)
  await untilGone(old)
  isOver = true
  await printing
  assert.is((await runCommand(balancer, ['stop'])).code, 0)
  const found = await readBack(folder)
  assert.equal(found.torn.slice(0, 5), [])
  assert.ok(printed.size >= 3 * pools.length, `${printed.size} workers have printed`)
  assert.ok(readdirSync(folder).length > 2 * pools.length, 'the files were rotated')
  for (const [worker, count] of printed) {
    const missing = Array.from({ length: count }, (_, index) => index + 1).filter((number) => !found.lines.get(worker)?.has(number))
    assert.equal(
      missing.slice(0, 5),
      [],
      `${missing.length} of ${count} lines of ${worker} are missing\n${balancer.child.output().slice(-3_000)}`,
    )
  }
}

async function printers(names: readonly string[], logs: LogsConfig): Promise<RunningBalancer> {
  const balancer = await startBalancer({
    config: {
      app: 'printing-app.mjs',
      pools: Object.fromEntries(names.map((pool) => [pool, { workers: 1 }])),
      routes: names.map((pool) => ({ path: `/${pool}/*`, pool })),
      logs,
    },
  })
  await balancer.untilAllReady()
  return balancer
}

/** Every worker prints so many lines. Resolves with how many each has printed by now. */
async function printOn({ port }: RunningBalancer, pools: readonly string[], lines: number): Promise<Map<string, number>> {
  const answers = await Promise.all(pools.map((pool) => exchange(port, get(`/${pool}/print?lines=${lines}&length=${LENGTH}`), LONG)))
  return new Map(answers.map(({ body }) => body.toString().trim().split(' ')).map(([worker, count]) => [worker as string, Number(count)]))
}

interface Found {
  /** Numbers of the lines, by worker. */
  readonly lines: Map<string, Set<number>>
  torn: string[]
  /** Lines that are lost according to the files. */
  gaps: number
}

async function readBack(folder: string): Promise<Found> {
  const found: Found = { lines: new Map(), torn: [], gaps: 0 }
  for (const name of readdirSync(folder)) {
    for await (const line of fileLines(join(folder, name))) {
      const [, worker, number] = /^\S+ ([a-d]\.\d+):(\d+):x+$/.exec(line) ?? []
      const [, lost] = /balancer: (\d+) lines? (?:was|were) lost here/.exec(line) ?? []
      if (lost !== undefined) found.gaps += Number(lost)
      else if (worker === undefined || line.length !== LENGTH - 1 + STAMP_LENGTH) found.torn.push(`${name}: ${line}`)
      else {
        const numbers = found.lines.get(worker) ?? new Set()
        if (numbers.has(Number(number))) found.torn.push(`${name}: again ${line}`)
        found.lines.set(worker, numbers.add(Number(number)))
      }
    }
  }
  return found
}

const STAMP_LENGTH = '2026-01-01T00:00:00.000Z '.length
const LONG = 600_000

function memoryKib(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
}

function mib(kib: number): string {
  return `${Math.round(kib / 1024)} MiB`
}

function watchMemory(pid: number): { stop(): number } {
  let most = 0
  const timer = setInterval(() => {
    most = Math.max(most, memoryKib(pid))
  }, 50)
  return {
    stop() {
      clearInterval(timer)
      return most
    },
  }
}

/** One request after the other until it is stopped; then the number of those that failed. */
function steadyTraffic({ port }: RunningBalancer): { stop(): Promise<number>; count(): number } {
  let isOver = false
  let count = 0
  let failures = 0
  const run = (async () => {
    while (!isOver) {
      const { status } = await exchange(port, get('/'), LONG).catch(() => ({ status: 0 }))
      count++
      if (status !== 200) failures++
    }
  })()
  return {
    count: () => count,
    async stop() {
      isOver = true
      await run
      return failures
    },
  }
}
