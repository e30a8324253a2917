// Finds the workers of a pool that have reached a limit: memory, requests or age. Only one at a time is replaced, so that a pool keeps its strength.

import { readFileSync } from 'node:fs'
import type { PoolSettings } from '../../settings.ts'

/** Workers that started together should not all be due together. */
const JITTER = 0.1

/** What the limits need to know of a worker. */
export interface LimitedWorker {
  readonly id: number
  /** It does not serve yet, so it can't be replaced. */
  readonly isStarting: boolean
  /** It is being replaced already. */
  readonly isRetiring: boolean
  readonly residentBytes: number
  /** How many requests it has begun. */
  readonly begun: number
  readonly ageMs: number
  /** From `jitterOf`, drawn once for each worker. */
  readonly jitter: number
  /** The limits of its own generation. */
  readonly limits: WorkerLimits
}

export interface Due {
  readonly id: number
  readonly reason: 'memory' | 'requests' | 'age'
  /** In a few words, for the log. */
  readonly why: string
}

export interface LimitsReached {
  /** The worker to replace; undefined also while another one is being replaced. */
  readonly retire: Due | undefined
  /** Workers to kill now. */
  readonly kill: readonly Due[]
  /** Workers that are above their soft memory limit while they still start: the limit or the app is wrong. */
  readonly unfit: readonly Due[]
}

export type WorkerLimits = Pick<PoolSettings, 'memory' | 'maxRequests' | 'maxAgeMs'>

/** Which of a pool's workers, without those that drain, have reached which limit. Their order has no effect. */
export function limitsReached(workers: readonly LimitedWorker[]): LimitsReached {
  const kill: Due[] = []
  const unfit: Due[] = []
  const due: (Due & { excess: number })[] = []
  for (const { id, isStarting, residentBytes, begun, ageMs, jitter, limits } of workers) {
    const { memory, maxRequests, maxAgeMs } = limits
    const check = (reason: Due['reason'], excess: number, why: string) => excess >= 1 && due.push({ id, reason, why, excess })
    if (residentBytes > memory.hardBytes) {
      kill.push({ id, reason: 'memory', why: describeMemory(residentBytes, memory.hardBytes, 'hard') })
      continue
    }
    const aboveSoft = residentBytes > memory.softBytes ? describeMemory(residentBytes, memory.softBytes, 'soft') : undefined
    if (isStarting) {
      if (aboveSoft !== undefined) unfit.push({ id, reason: 'memory', why: aboveSoft })
      continue
    }
    if (aboveSoft !== undefined) check('memory', residentBytes / memory.softBytes, aboveSoft)
    check('requests', begun / (maxRequests * jitter), `it has begun ${begun} requests (maxRequests)`)
    check('age', ageMs / (maxAgeMs * jitter), `it is ${Math.round(ageMs / 1000)} s old (maxAgeMs)`)
  }
  if (workers.some(({ isRetiring }) => isRetiring)) return { retire: undefined, kill, unfit }
  // Memory first, then the worker that is furthest beyond its limit.
  const [first] = due.sort(
    (one, other) => Number(other.reason === 'memory') - Number(one.reason === 'memory') || other.excess - one.excess || one.id - other.id,
  )
  return { retire: first && { id: first.id, reason: first.reason, why: first.why }, kill, unfit }
}

/** Has the pool no limits at all? */
export function isUnlimited({ memory, maxRequests, maxAgeMs }: WorkerLimits): boolean {
  return [memory.softBytes, memory.hardBytes, maxRequests, maxAgeMs].every((limit) => limit === Number.POSITIVE_INFINITY)
}

/** The factor, 0.9 to 1.1, by which a worker's limits differ from those of its pool. `chance` is 0 to 1. */
export function jitterOf(chance: number): number {
  return 1 - JITTER + 2 * JITTER * chance
}

/** Resident memory of a process. Comes from the kernel, so it works for a process that hangs. Undefined if it can't be read. */
export function residentBytes(pid: number, read: (path: string) => string = readText): number | undefined {
  try {
    const [, kilobytes] = /^VmRSS:\s*(\d+) kB$/m.exec(read(`/proc/${pid}/status`)) ?? []
    return kilobytes === undefined ? undefined : Number(kilobytes) * 1024
  } catch {
    return undefined
  }
}

function readText(path: string): string {
  return readFileSync(path, 'latin1')
}

function describeMemory(residentBytes: number, limitBytes: number, kind: 'soft' | 'hard'): string {
  return `it has ${megabytes(residentBytes)}, more than ${megabytes(limitBytes)} (maxMemory.${kind})`
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MB`
}
