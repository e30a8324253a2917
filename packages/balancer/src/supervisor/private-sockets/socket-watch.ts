// Replaces workers whose private sockets a cleaner of temporary files has removed, because forwards and probes can't reach them.

import type { PoolWorker } from '../pool-worker.ts'

/** Not at every poll: each check is a system call. */
const POLL_MS = 10_000

export interface SocketWatchOptions {
  readonly workers: () => Iterable<PoolWorker>
  /** Why other workers can't reach the worker's private socket; undefined if they can. */
  readonly faultOf: (worker: PoolWorker) => string | undefined
  readonly retire: (worker: PoolWorker, why: string) => void
}

export class SocketWatch {
  private readonly options: SocketWatchOptions
  private polledMs = Date.now()

  constructor(options: SocketWatchOptions) {
    this.options = options
  }

  /** Call it as often as you like. */
  poll(nowMs: number): void {
    if (nowMs - this.polledMs < POLL_MS) return
    this.polledMs = nowMs
    const { workers, faultOf, retire } = this.options
    for (const worker of workers()) {
      const fault = worker.state === 'ready' && worker.settings.listens ? faultOf(worker) : undefined
      if (fault !== undefined) retire(worker, fault)
    }
  }
}
