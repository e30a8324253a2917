// The chaos test: faults hit workers and the primary at random moments while clients send requests. Only requests that a killed worker had
// started may stay unanswered.

import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { seededRandom } from '../../../../../test/support/random.ts'
import type { BalancerStatus } from '../../../src/status.ts'
import { RequestLog, runChaosClients, type Unanswered } from './chaos-clients.ts'
import { type ChaosWorld, type Fault, faults, findVictim, inject, isAlive, type Moment, moments } from './chaos-faults.ts'
import { runCommand } from './commands.ts'
import { fixture, movesConnections, type RunningBalancer, startBalancer, temporaryFolder } from './running-balancer.ts'
import { StartedRequests } from './started-requests.ts'

export interface ChaosOptions {
  readonly seed: number
  readonly durationMs: number
  readonly visitors: number
  readonly longestBusyMs: number
  /** One round in this many has a reload or another operation. */
  readonly operationEvery: number
  /** Called with a line for each fault and each round. */
  readonly onProgress?: (line: string) => void
}

export interface ChaosTotals {
  rounds: number
  answered: number
  /** Unanswered requests that had started in a killed worker. */
  lostWithWorker: number
  /** Unanswered requests on a connection of a killed worker that had not read them. */
  cutWithWorker: number
  /** Unanswered requests of a worker killed between its claim and the first line of the app. */
  hitBetween: number
  takenBack: number
  /** By fault and moment. */
  readonly hits: Record<string, number>
  readonly operations: Record<string, number>
  heapMb: [before: number, after: number]
  residentMb: [before: number, after: number]
  descriptors: [before: number, after: number]
  faults: string[]
}

interface Hit {
  readonly pid: number
  readonly pool: string
  readonly what: string
  readonly atMs: number
  /** The one request that may have been between the claim and the first line of the app. */
  between: string | undefined
}

const POOLS = { web: 4, api: 2 }
/** Without the native module Node closes a connection when there is no descriptor for it. */
const possible = faults.filter((fault) => movesConnections || fault !== 'descriptors of the primary')
/** A worker whose loop is busy for longer is replaced and killed. */
const HANG_MS = 4_000
const STRONG_AGAIN_MS = 10_000
const BETWEEN_MS = 15_000
const SCALE_BACK_TIMES = 40
const SCALE_BACK_EVERY_MS = 500
const MEMORY_SAMPLES = 20
const MORE_HEAP_MB = 4
const MORE_RESIDENT_MB = 64

/** Runs until the time is over, or until the first failure. */
export async function runChaos(options: ChaosOptions): Promise<ChaosTotals> {
  const random = seededRandom(options.seed)
  const begun = new StartedRequests()
  const folder = join(temporaryFolder(), 'faults')
  mkdirSync(folder)
  const reload = { settleMs: 200 }
  const pool = (workers: number) => ({ workers, reload, execArgv: ['--max-old-space-size=48'], queue: { timeoutMs: 300_000 } })
  const balancer = await startBalancer({
    config: {
      app: 'chaos-app.mjs',
      pools: { web: pool(POOLS.web), api: pool(POOLS.api) },
      routes: [{ path: '/api/*', pool: 'api' }],
      ...{ hangTimeoutMs: HANG_MS, restartDelayMs: 20, maxRestartDelayMs: 500, maxRestarts: 1_000_000, drainTimeoutMs: 60_000 },
      ...{ startTimeoutMs: 60_000, headTimeoutMs: 300_000 },
    },
    env: { BEGUN_FILE: begun.file, FAULTS: folder, NODE_OPTIONS: `--require ${fixture('collect-garbage.cjs')}` },
    descriptorLimit: 512,
    args: ['--log-level', 'info'],
  })
  await balancer.untilAllReady()
  const log = new RequestLog()
  const world: ChaosWorld = { target: balancer.port, log, random, balancer, begun, folder, longestBusyMs: options.longestBusyMs }
  const totals: ChaosTotals = {
    ...{ rounds: 0, answered: 0, lostWithWorker: 0, cutWithWorker: 0, hitBetween: 0, takenBack: 0, hits: {}, operations: {} },
    ...{ heapMb: [0, 0], residentMb: [0, 0], descriptors: [balancer.descriptors, 0], faults: [] },
  }
  let isOver = false
  const visitors = runChaosClients(options.visitors, () => isOver, world)
  const hits: Hit[] = []
  const ends = performance.now() + options.durationMs
  // Memory grows in the first rounds, so it is measured after them.
  const measureAt = performance.now() + options.durationMs / 5

  while (performance.now() < ends && totals.faults.length === 0) {
    await round(world, options, totals, hits).catch((error) => totals.faults.push(`round ${totals.rounds}: ${error.stack}`))
    if (totals.heapMb[0] === 0 && performance.now() > measureAt) [totals.heapMb[0], totals.residentMb[0]] = await memoryMb(balancer)
    judge(world, totals, hits)
  }

  isOver = true
  await visitors
  judge(world, totals, hits)
  totals.answered = log.answered
  totals.faults.push(...begun.twice.map((name) => `${name} began twice`))
  if (totals.faults.length === 0) await endWhereItBegan(balancer, totals)
  // Node warns of a handle that a worker without descriptors could not receive.
  const stderr = balancer.child.stderr().replace(/^(\(node:\d+\) SentHandleNotReceivedWarning: |\(Use `node --trace-warnings).*\n/gm, '')
  if (stderr !== '') totals.faults.push(`on stderr: ${stderr}`)
  const code = await balancer.stop(60_000)
  if (code !== 0) totals.faults.push(`the balancer ended with ${code}`)
  if (totals.faults.length > 0) totals.faults.push(balancer.child.output().split('\n').slice(-60).join('\n'))
  return totals
}

/** Hits one or two processes, perhaps during an operation. Then every worker must be ready again. */
async function round(world: ChaosWorld, options: ChaosOptions, totals: ChaosTotals, hits: Hit[]): Promise<void> {
  const { balancer, random } = world
  totals.rounds++
  const operation = random() < 1 / options.operationEvery ? operate(world, totals) : undefined
  const hitNow: Hit[] = []
  const under: Promise<void>[] = []
  const count = random() < 0.3 ? 2 : 1
  for (let number = 0; number < count; number++) {
    const fault = possible[Math.floor(random() * possible.length)] as Fault
    const moment = moments[Math.floor(random() * moments.length)] as Moment
    const poolOf = new Map(
      (await balancer.status()).pools.flatMap(({ name, workers }) =>
        workers.map(({ pid, state }) => [pid, state === 'ready' ? name : undefined]),
      ),
    )
    // Each pool keeps a worker.
    const mayHit = (pid: number) => {
      const name = poolOf.get(pid)
      return name !== undefined && !hitNow.some((hit) => hit.pid === pid || (hit.pool === name && name === 'api'))
    }
    const victim = await findVictim(world, moment, mayHit)
    if (victim === undefined) continue
    const what = `${fault}, ${moment}`
    totals.hits[what] = (totals.hits[what] ?? 0) + 1
    const hit = { pid: victim.pid, pool: poolOf.get(victim.pid) as string, what, atMs: Date.now(), between: undefined }
    if (fault !== 'descriptors of the primary') hitNow.push(hit)
    options.onProgress?.(`round ${totals.rounds}: ${victim.pid} of ${hit.pool}: ${what}`)
    under.push(victim.over, inject(world, fault, victim.pid))
    // Without descriptors the admin page does not answer.
    if (fault === 'descriptors of the primary') await Promise.all(under)
  }
  hits.push(...hitNow)
  options.onProgress?.(`round ${totals.rounds}: ${world.log.answered} answered`)
  const what = () => `round ${totals.rounds}, ${hitNow.map(({ pid, what }) => `${pid}: ${what}`).join('; ')}`
  try {
    await Promise.all(under)
    await operation
    await balancer.untilStatus(isStrong, 'full strength', STRONG_AGAIN_MS)
  } catch (error) {
    totals.faults.push(`${what()}: ${(error as Error).message}`)
  }
}

function isStrong({ pools }: BalancerStatus): boolean {
  return pools.every(
    ({ ready, desired, reloading, workers }) =>
      !reloading && ready === desired && workers.length === desired && workers.every(({ retiring }) => retiring === null),
  )
}

/** An unanswered request must have started in a killed worker, or must have been on a connection of one. */
function judge({ log, begun }: ChaosWorld, totals: ChaosTotals, hits: readonly Hit[]): void {
  begun.read()
  totals.faults.push(...log.wrong.splice(0))
  for (const one of log.unanswered.splice(0)) {
    const began = begun.pidOf(one.name)
    // A forwarded request has two: the worker that started it, and the one with its connection.
    const had = [began, one.holder].filter((pid) => pid !== undefined)
    if (had.some((holder) => hits.some(({ pid }) => pid === holder) && !isAlive(holder))) {
      if (began === undefined) totals.cutWithWorker++
      else totals.lostWithWorker++
      continue
    }
    // Over the portable channel a body may be on its way to another worker.
    const isLostBody = one.isBadGateway === true && one.kind === 'upload' && !movesConnections
    if (isLostBody && began === undefined && hits.some((hit) => isNear(hit, one))) {
      totals.cutWithWorker++
      continue
    }
    // A connection may have moved since its last answer.
    const mayBeBetween = began === undefined && (had.length === 0 || movesConnections)
    const between = mayBeBetween ? hits.find((hit) => hit.between === undefined && isNear(hit, one) && !isAlive(hit.pid)) : undefined
    if (between === undefined) totals.faults.push(faultOf(one, began))
    else {
      between.between = one.name
      totals.hitBetween++
    }
  }
}

function isNear(hit: Hit, one: Unanswered): boolean {
  return Math.abs(hit.atMs - one.atMs) < BETWEEN_MS
}

function faultOf({ name, why, holder, isCut, askedMs, atMs }: Unanswered, began: number | undefined): string {
  const [asked, over] = [askedMs, atMs].map((ms) => new Date(ms).toISOString().slice(11))
  const where = `${holder === undefined ? 'the first on its connection' : `on a connection of ${holder}`}, ${began === undefined ? 'never begun' : `begun by ${began}`}`
  return `${name}, asked at ${asked}, over at ${over}, ${where}${isCut ? ', cut' : ''}: ${why}`
}

async function operate({ balancer, random }: ChaosWorld, totals: ChaosTotals): Promise<void> {
  const commands = [['reload'], ['reload', 'api'], ['scale', 'web', '+1'], ['restart', 'web/1']]
  const args = commands[Math.floor(random() * commands.length)] as string[]
  const { code } = await runCommand(balancer, args)
  if (args[0] === 'scale') await scaleBack(balancer)
  const what = `${args.join(' ')}: ${code}`
  totals.operations[what] = (totals.operations[what] ?? 0) + 1
}

/** Without descriptors the primary can't accept a command, so it is repeated. */
async function scaleBack(balancer: RunningBalancer): Promise<void> {
  const scale = () => runCommand(balancer, ['scale', 'web', `${POOLS.web}`])
  let last = await scale()
  for (let time = 1; time < SCALE_BACK_TIMES && last.code !== 0; time++) {
    await delay(SCALE_BACK_EVERY_MS)
    last = await scale()
  }
  if (last.code !== 0) throw new Error(`scaling back failed with ${last.code}: ${last.err}`)
}

/** The heap after garbage collection, as the least of several samples, and the resident memory. */
async function memoryMb(balancer: RunningBalancer): Promise<[heap: number, resident: number]> {
  let least = Number.POSITIVE_INFINITY
  process.kill(balancer.pid, 'SIGUSR2')
  for (let sample = 0; sample < MEMORY_SAMPLES; sample++) {
    const text = await balancer.metrics()
    const bytes = ['nodejs_heap_size_used_bytes', 'nodejs_external_memory_bytes'].map((name) =>
      Number(new RegExp(`^${name} (\\S+)`, 'm').exec(text)?.[1]),
    )
    least = Math.min(
      least,
      bytes.reduce((sum, one) => sum + one),
    )
  }
  const resident = Number(/^VmRSS:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${balancer.pid}/status`, 'latin1'))?.[1])
  return [Math.round(least / 2 ** 20), Math.round(resident / 1024)]
}

async function endWhereItBegan(balancer: RunningBalancer, totals: ChaosTotals): Promise<void> {
  try {
    totals.takenBack = (await balancer.untilStatus(isStrong, 'full strength', STRONG_AGAIN_MS)).handOffs.takenBack
    await balancer.untilDescriptors(totals.descriptors[0])
  } catch (error) {
    totals.faults.push((error as Error).message)
  }
  totals.descriptors[1] = balancer.descriptors
  ;[totals.heapMb[1], totals.residentMb[1]] = await memoryMb(balancer)
  if (totals.heapMb[1] > totals.heapMb[0] + MORE_HEAP_MB) totals.faults.push(`the heap grew: ${totals.heapMb.join(' to ')} MB`)
  if (totals.residentMb[1] > totals.residentMb[0] + MORE_RESIDENT_MB)
    totals.faults.push(`memory grew: ${totals.residentMb.join(' to ')} MB`)
}
