// Notices when a starting worker has done what its pool waits for: it listens, its app has started, or its app has sent 'ready'.

import type { PoolWorker } from '../pool-worker.ts'
import type { WorkerMessages } from '../worker-messages.ts'

/** Calls `onBegun` once for each such worker. */
export function followBegins(messages: WorkerMessages, onBegun: (worker: PoolWorker) => void): void {
  const check = (worker: PoolWorker) => {
    if (worker.hasBegun || worker.state !== 'starting' || worker.isOneOff || !hasAll(worker)) return
    worker.hasBegun = true
    onBegun(worker)
  }
  messages.subscribe('listening', (worker, { address }) => {
    worker.address ??= address
    check(worker)
  })
  messages.subscribe('started', (worker) => {
    worker.hasStarted = true
    check(worker)
  })
  messages.subscribe('ready', (worker) => {
    worker.saidReady = true
    check(worker)
  })
}

function hasAll({ settings: { listens, readyMessage }, address, hasStarted, saidReady }: PoolWorker): boolean {
  if (readyMessage && !saidReady) return false
  return listens ? address !== undefined : hasStarted || readyMessage
}
