// Statuses as `balancer top` receives them, with workers that have counted something.

import { idleLoad } from '@switchyard/routing'
import type { ControlStatus } from '../../../src/control/control-protocol.ts'
import type { PoolStatus, WorkerStatus } from '../../../src/status.ts'
import { calmPool, statusOf, workerOf } from '../../support/fake-balancer.ts'

export interface Counted extends Partial<WorkerStatus> {
  /** Responses of about 7 ms, and of about 70 ms. */
  readonly quick?: number
  readonly slow?: number
  readonly utilisation?: number
  readonly inFlight?: number
}

/** A worker with these counts. */
export function counted(slot: number, { quick = 0, slow = 0, utilisation = 0, inFlight = 0, ...changes }: Counted = {}): WorkerStatus {
  const counts = new Array(14).fill(0)
  counts[3] = quick
  counts[6] = slow
  const details = { heapUsedBytes: 0, heapLimitBytes: 1, loopDelay: { p50Ms: 0, p99Ms: 0, maxMs: 0 }, responses: { counts, sumMs: 0 } }
  const load = { ...idleLoad, utilisation, inFlight, connections: 3, memoryBytes: 85 * 1024 ** 2 }
  return workerOf(slot, { details, load, begun: quick + slow, ...changes })
}

export function status(workers: WorkerStatus[], changes: Partial<PoolStatus> = {}, of: Partial<ControlStatus> = {}): ControlStatus {
  const pool = { ...calmPool, name: 'web', ready: workers.length, desired: workers.length, boardFaults: 0, workers, ...changes }
  return { ...statusOf({ pools: [pool] }), name: 'shop', pid: 42, version: '1.2.3', upMs: 65_000, ...of }
}
