// What is told of workers beyond what every balancer says: one that runs may be older than the command that asks it.

import type { PoolStatus, WorkerStatus } from '../../status.ts'

export type WorkerDetails = WorkerStatus & {
  retiring?: string | null | undefined
  ejected?: boolean | undefined
  inStateMs?: number | undefined
  drainLeftMs?: number | null | undefined
}

export type PoolDetails = Omit<PoolStatus, 'workers' | 'outageMs' | 'notStarted'> & {
  generation?: number | undefined
  held?: number[] | undefined
  broken?: number[] | undefined
  outageMs?: PoolStatus['outageMs'] | undefined
  notStarted?: PoolStatus['notStarted'] | undefined
  workers: WorkerDetails[]
}
