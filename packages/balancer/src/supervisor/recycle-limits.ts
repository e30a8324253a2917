// Which workers have reached a limit of theirs. One at a time is replaced, so that no pool is ever short of more.

import { readFileSync } from 'node:fs'
import type { PoolSettings } from '../settings.ts'

/** Workers that were started together must not all be due together. */
const JITTER = 0.1

/** A worker as far as its limits go. */
export interface LimitedWorker {
  readonly id: number
  /** It does not serve yet, so there is nothing to replace. */
  readonly isComingUp: boolean
  /** It is being replaced already. */
  readonly isRetiring: boolean
  readonly residentBytes: number
  /** Requests begun. */
  readonly begun: number
  readonly ageMs: number
  /** From `jitterOf`; drawn once. */
  readonly jitter: number
  /** Of its own generation. */
  readonly limits: WorkerLimits
}

export interface Due {
  readonly id: number
  readonly reason: 'memory' | 'requests' | 'age'
  /** In a few words, for people. */
  readonly why: string
}

export interface LimitsReached {
  /** To be replaced; at most one, and nobody while another one is. */
  readonly retire: Due | undefined
  /** To be killed now. */
  readonly kill: readonly Due[]
  /** Who comes up and has more than its soft limit already: the limit or the app is wrong. */
  readonly unfit: readonly Due[]
}

export type WorkerLimits = Pick<PoolSettings, 'memory' | 'maxRequests' | 'maxAgeMs'>

/** Who of one pool's workers, draining ones aside, has reached which limit. The order of the workers means nothing. */
export function limitsReached(workers: readonly LimitedWorker[]): LimitsReached {
  const kill: Due[] = []
  const unfit: Due[] = []
  const due: (Due & { excess: number })[] = []
  for (const { id, isComingUp, residentBytes, begun, ageMs, jitter, limits } of workers) {
    const { memory, maxRequests, maxAgeMs } = limits
    const note = (reason: Due['reason'], excess: number, why: string) => excess >= 1 && due.push({ id, reason, why, excess })
    if (residentBytes > memory.hardBytes) {
      kill.push({ id, reason: 'memory', why: describeMemory(residentBytes, memory.hardBytes, 'hard') })
      continue
    }
    const aboveSoft = residentBytes > memory.softBytes ? describeMemory(residentBytes, memory.softBytes, 'soft') : undefined
    if (isComingUp) {
      if (aboveSoft !== undefined) unfit.push({ id, reason: 'memory', why: aboveSoft })
      continue
    }
    if (aboveSoft !== undefined) note('memory', residentBytes / memory.softBytes, aboveSoft)
    note('requests', begun / (maxRequests * jitter), `it has begun ${begun} requests (maxRequests)`)
    note('age', ageMs / (maxAgeMs * jitter), `it is ${Math.round(ageMs / 1000)} s old (maxAgeMs)`)
  }
  if (workers.some(({ isRetiring }) => isRetiring)) return { retire: undefined, kill, unfit }
  // Memory does not wait; of the rest whoever is furthest beyond.
  const [first] = due.sort(
    (one, other) => Number(other.reason === 'memory') - Number(one.reason === 'memory') || other.excess - one.excess || one.id - other.id,
  )
  return { retire: first && { id: first.id, reason: first.reason, why: first.why }, kill, unfit }
}

/** Is there nothing that a worker could reach? */
export function isUnlimited({ memory, maxRequests, maxAgeMs }: WorkerLimits): boolean {
  return [memory.softBytes, memory.hardBytes, maxRequests, maxAgeMs].every((limit) => limit === Number.POSITIVE_INFINITY)
}

/** The factor by which a worker's own limits differ from those of its pool. `chance`: 0 to 1. */
export function jitterOf(chance: number): number {
  return 1 - JITTER + 2 * JITTER * chance
}

/** Resident memory of a process as the kernel counts it, which needs nothing of the process; undefined where that can't be known. */
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
