// What is known of the one-off processes of each pool with a schedule: which run, how the last one ended, and counts. After an upgrade the record of
// the old primary goes on beside the own one, because processes of the old primary may still end.

import type { JobExit } from '../status.ts'

/** As JSON can write it. */
export interface JobRecord {
  readonly runs: number
  readonly failed: number
  readonly skipped: number
  readonly last: JobExit | null
  /** Slots with a process. */
  readonly running: readonly number[]
}

const EMPTY: JobRecord = { runs: 0, failed: 0, skipped: 0, last: null, running: [] }

export class JobRecords {
  private readonly own = new Map<string, JobRecord>()
  private readonly before = new Map<string, JobRecord>()

  /** Of this primary and those before it. */
  of(pool: string): JobRecord {
    const [own, before] = [this.own.get(pool) ?? EMPTY, this.before.get(pool) ?? EMPTY]
    return {
      runs: own.runs + before.runs,
      failed: own.failed + before.failed,
      skipped: own.skipped + before.skipped,
      last: (own.last?.endedMs ?? 0) >= (before.last?.endedMs ?? 0) ? (own.last ?? before.last) : before.last,
      running: [...own.running, ...before.running],
    }
  }

  /** How many processes of the old primary still run. */
  runningBefore(pool: string): number {
    return this.before.get(pool)?.running.length ?? 0
  }

  onStarted(pool: string, slot: number): void {
    this.change(pool, ({ runs, running }) => ({ runs: runs + 1, running: [...running.filter((other) => other !== slot), slot] }))
  }

  onEnded(pool: string, slot: number, exit: JobExit): void {
    this.change(pool, ({ failed, running }) => ({
      failed: failed + (exit.isGood ? 0 : 1),
      last: exit,
      running: running.filter((other) => other !== slot),
    }))
  }

  onSkipped(pool: string): void {
    this.change(pool, ({ skipped }) => ({ skipped: skipped + 1 }))
  }

  /** Forgets pools that have no schedule any more. */
  keep(pools: ReadonlySet<string>): void {
    for (const records of [this.own, this.before]) for (const pool of records.keys()) if (!pools.has(pool)) records.delete(pool)
  }

  /** The record of the old primary, which may come several times. */
  restore(pool: string, record: JobRecord): void {
    this.before.set(pool, record)
  }

  /** The old primary has exited, and its processes with it. */
  forgetBefore(): void {
    for (const [pool, record] of this.before) this.before.set(pool, { ...record, running: [] })
  }

  private change(pool: string, changes: (record: JobRecord) => Partial<JobRecord>): void {
    const record = this.own.get(pool) ?? EMPTY
    this.own.set(pool, { ...record, ...changes(record) })
  }
}

/** A valid record from another primary, which may be of another version; undefined: it is none. */
export function readRecord(value: unknown): JobRecord | undefined {
  const { runs, failed, skipped, last, running } = (value ?? {}) as Record<string, unknown>
  if (![runs, failed, skipped].every((count) => Number.isSafeInteger(count)) || !Array.isArray(running)) return undefined
  return {
    ...({ runs, failed, skipped } as Pick<JobRecord, 'runs' | 'failed' | 'skipped'>),
    last: typeof last === 'object' ? (last as JobExit | null) : null,
    running: running.filter((slot): slot is number => Number.isSafeInteger(slot)),
  }
}
