// Checks that the memory is enough for the primary and its workers.

import { totalmem } from 'node:os'
import type { Settings } from '../settings.ts'
import type { Check } from './check.ts'

export interface MemorySource {
  readonly totalBytes: number
  /** The limit of the cgroup; undefined: none. */
  readonly limitBytes: number | undefined
}

const NAME = 'memory'
const MIB = 1024 ** 2
/** Resident memory of a process that does next to nothing. */
const LEAST_BYTES = 64 * MIB

export function checkMemory(pools: Settings['pools'] | undefined, { totalBytes, limitBytes }: MemorySource = thisMachine()): Check {
  const bytes = Math.min(totalBytes, limitBytes ?? totalBytes)
  const what = limitBytes !== undefined && limitBytes < totalBytes ? `${mebibytes(bytes)}, the limit of the cgroup` : mebibytes(bytes)
  const workers = (pools ?? []).reduce((sum, pool) => sum + pool.workers, 0)
  const needed = (1 + workers) * LEAST_BYTES
  if (needed <= bytes) return { name: NAME, state: 'ok', found: what }
  return {
    name: NAME,
    state: 'warning',
    found: `${what}, and ${workers} workers and the primary need at least ${mebibytes(needed)}`,
    advice: 'Raise the limit, or start fewer workers (workers of a pool, -i).',
  }
}

function thisMachine(): MemorySource {
  // 0 or a huge number where there is no limit.
  const limit = process.constrainedMemory()
  return { totalBytes: totalmem(), limitBytes: limit > 0 && limit < totalmem() ? limit : undefined }
}

function mebibytes(bytes: number): string {
  return bytes < 10 * 1024 * MIB ? `${Math.round(bytes / MIB)} MiB` : `${Math.round(bytes / 1024 / MIB)} GiB`
}
