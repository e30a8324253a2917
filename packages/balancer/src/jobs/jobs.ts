// Starts the one-off processes of pools with a schedule, and reloads pools with `restartAt`, when their times come. In an upgrade one of the two
// primaries does so at every moment, and the new one waits for what the old one still runs.

import { BalancerError } from '../errors.ts'
import type { BalancerEmitter } from '../events.ts'
import type { CronSettings, PoolSettings } from '../settings.ts'
import type { StateTransfer } from '../state-transfer.ts'
import type { JobStatus } from '../status.ts'
import { CronTimes } from './cron.ts'
import { JobRecords, readRecord } from './job-records.ts'
import { Timetable } from './timetable.ts'

/** The wall clock is read at least this often, since it may be set. */
const MAX_WAIT_MS = 30_000
const RETRY_MS = 5_000
/** With the default pause that is ten minutes. */
const MAX_TRIES = 120

/** What a start has become: `busy`: as many processes run as may; `held`: the slot is out of service. */
export type RunOutcome = 'started' | 'busy' | 'held'

export interface JobsOptions {
  readonly events: BalancerEmitter
  readonly runs: {
    /** Starts a one-off process of the pool, while fewer than `most` run. */
    startRun(pool: string, most: number): RunOutcome
  }
  /** Reloads the pool. Rejects with a BalancerError. */
  readonly reload: (pool: string) => Promise<unknown>
  /** Of the first config. */
  readonly pools: readonly PoolSettings[]
  /** In ms since 1970. */
  readonly now?: (() => number) | undefined
  /** Before another try of a reload that another operation prevents. Default 5000. */
  readonly retryMs?: number | undefined
}

/** The state of one schedule, for the new primary. */
interface JobEntry {
  readonly key: string
  /** Of the schedule; another one may stand in the new config. */
  readonly identity?: string | undefined
  readonly lastMs?: number | undefined
  readonly record?: unknown
}

export class Jobs implements StateTransfer {
  readonly name = 'jobs'
  private readonly options: JobsOptions
  private readonly now: () => number
  private readonly timetable = new Timetable()
  private readonly records = new JobRecords()
  private pools: readonly PoolSettings[] = []
  private state: 'waiting' | 'running' | 'paused' | 'stopped' = 'waiting'
  private send: ((entry: JobEntry) => void) | undefined
  private timer: NodeJS.Timeout | undefined
  private readonly retries = new Map<string, NodeJS.Timeout>()

  constructor(options: JobsOptions) {
    this.options = options
    this.now = options.now ?? Date.now
    const { events } = options
    events.on('jobStarted', ({ pool, slot }) => this.records.onStarted(pool, slot))
    events.on('jobEnded', ({ pool, slot, exit }) => {
      this.records.onEnded(pool, slot, exit)
      this.send?.({ key: runKey(pool), record: this.records.of(pool) })
    })
    this.configure(options.pools)
  }

  /** Puts the schedules of these pools in force. One that has not changed keeps its next time. */
  configure(pools: readonly PoolSettings[]): void {
    this.pools = pools.filter(({ schedule, restartAt }) => schedule !== undefined || restartAt !== undefined)
    const now = this.now()
    const schedules = this.pools.flatMap((pool) => schedulesOf(pool))
    this.timetable.keep(new Set(schedules.map(({ key }) => key)))
    this.records.keep(new Set(this.pools.flatMap(({ name, schedule }) => (schedule === undefined ? [] : [name]))))
    for (const { key, cron } of schedules) this.timetable.set(key, identityOf(cron), new CronTimes(cron), now)
    this.wait()
  }

  /** This primary serves: from now on schedules are due here. */
  start(): void {
    if (this.state !== 'waiting') return
    this.state = 'running'
    this.poll()
  }

  /** Nothing is due here any more. */
  stop(): void {
    this.state = 'stopped'
    clearTimeout(this.timer)
    for (const timer of this.retries.values()) clearTimeout(timer)
    this.retries.clear()
  }

  /** The schedule of a pool and what became of it; null: it has none. */
  statusOf({ name, schedule }: PoolSettings): JobStatus | null {
    if (schedule === undefined) return null
    const { runs, failed, skipped, last, running } = this.records.of(name)
    const { pattern, timeZone = null } = schedule
    return {
      ...{ schedule: pattern, timeZone, nextStartMs: this.timetable.nextMs(runKey(name)) ?? null },
      ...{ running: running.length, runs, failed, skipped, last },
    }
  }

  /** Why no process of the pool may be started by hand now; undefined: one may. */
  obstacleTo(pool: string): string | undefined {
    if (this.state === 'paused') return 'an upgrade is under way'
    return this.records.runningBefore(pool) > 0 ? 'a process of the old primary still runs' : undefined
  }

  /** When the pool is reloaded next, in ms since 1970; null: never. */
  restartsAtMs(pool: string): number | null {
    return this.timetable.nextMs(reloadKey(pool)) ?? null
  }

  // ---- In the old primary ----

  isWanted(): boolean {
    return !this.timetable.isEmpty
  }

  *entries(): Generator<JobEntry> {
    for (const pool of this.pools) {
      for (const { key, cron } of schedulesOf(pool)) {
        const record = key === runKey(pool.name) ? this.records.of(pool.name) : undefined
        yield { key, identity: identityOf(cron), lastMs: this.timetable.lastMs(key), record }
      }
    }
  }

  /** What is due from now on is due in the new primary. */
  freeze(): Iterable<JobEntry> {
    if (this.state === 'running') this.state = 'paused'
    clearTimeout(this.timer)
    return this.entries()
  }

  resume(): void {
    if (this.state !== 'paused') return
    this.state = 'running'
    this.poll()
  }

  onNewPrimaryServes(send: (entry: object) => void): void {
    this.send = send
    // Since the copy, processes may have ended.
    for (const entry of this.entries()) if (entry.record !== undefined) send({ key: entry.key, record: entry.record })
  }

  // ---- In the new primary ----

  receive(entry: unknown): void {
    const { key, identity, lastMs, record } = (entry ?? {}) as Partial<Record<keyof JobEntry, unknown>>
    for (const pool of this.pools) {
      for (const schedule of schedulesOf(pool)) {
        if (schedule.key !== key) continue
        const known = key === runKey(pool.name) ? readRecord(record) : undefined
        if (known !== undefined) this.records.restore(pool.name, known)
        if (identity === identityOf(schedule.cron) && typeof lastMs === 'number' && Number.isFinite(lastMs))
          this.timetable.set(key, identity, new CronTimes(schedule.cron), this.now(), lastMs)
      }
    }
  }

  onOldPrimaryGone(): void {
    this.records.forgetBefore()
  }

  // ---- The loop ----

  private poll(): void {
    for (const { key, atMs } of this.timetable.take(this.now())) {
      const pool = this.pools.find((one) => schedulesOf(one).some((schedule) => schedule.key === key))
      if (pool === undefined) continue
      if (key === runKey(pool.name)) this.run(pool, atMs)
      else this.reload(pool.name, atMs)
    }
    this.wait()
  }

  private wait(): void {
    clearTimeout(this.timer)
    const nextMs = this.timetable.earliestMs
    if (this.state !== 'running' || nextMs === undefined) return
    this.timer = setTimeout(() => this.poll(), Math.min(Math.max(nextMs - this.now(), 1), MAX_WAIT_MS))
  }

  private run({ name, schedule }: PoolSettings, atMs: number): void {
    const before = this.records.runningBefore(name)
    const most = (schedule?.most ?? 1) - before
    const outcome = most < 1 ? 'busy' : this.options.runs.startRun(name, most)
    if (outcome === 'started') return
    this.records.onSkipped(name)
    this.options.events.emit('jobSkipped', { pool: name, atMs, reason: reasonOf(outcome, before) })
  }

  private reload(pool: string, atMs: number, tries = 0): void {
    clearTimeout(this.retries.get(pool))
    this.retries.delete(pool)
    void this.options.reload(pool).catch((error: unknown) => {
      // Other failures are in the log already, and the old workers serve on.
      if (!(error instanceof BalancerError) || error.code !== 'ERR_BUSY' || this.state !== 'running') return
      if (tries >= MAX_TRIES) return void this.options.events.emit('jobSkipped', { pool, atMs, reason: error.message })
      this.retries.set(
        pool,
        setTimeout(() => this.reload(pool, atMs, tries + 1), this.options.retryMs ?? RETRY_MS),
      )
    })
  }
}

function schedulesOf({ name, schedule, restartAt }: PoolSettings): { readonly key: string; readonly cron: CronSettings }[] {
  return [
    ...(schedule === undefined ? [] : [{ key: runKey(name), cron: schedule }]),
    ...(restartAt === undefined ? [] : [{ key: reloadKey(name), cron: restartAt }]),
  ]
}

function runKey(pool: string): string {
  return `run ${pool}`
}

function reloadKey(pool: string): string {
  return `reload ${pool}`
}

function identityOf({ pattern, timeZone }: CronSettings): string {
  return JSON.stringify([pattern, timeZone])
}

function reasonOf(outcome: RunOutcome, before: number): string {
  if (outcome === 'held') return 'it is out of service'
  return before > 0 ? 'a process of the old primary still runs' : 'the process before still runs'
}
