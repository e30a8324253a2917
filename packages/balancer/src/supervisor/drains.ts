// Drains workers, as the primary sees it: tells a worker to drain, logs its progress, and seals it when it has finished what it had.
// A sealed worker receives nothing, not even requests whose ticket names it. It then reports once more that nothing is left.

import type { BalancerEmitter } from '../events.ts'
import type { PoolWorker } from './pool-worker.ts'
import type { WorkerMessages } from './worker-messages.ts'

const PROGRESS_MS = 5000
/** How often a sealed worker's hand-offs under way are checked. */
const SEAL_POLL_MS = 5

export interface DrainsOptions {
  readonly messages: WorkerMessages
  readonly events: BalancerEmitter
  readonly drainTimeoutMs: () => number
  readonly workers: () => Iterable<PoolWorker>
  /** The candidates for connections have changed. */
  readonly onChanged: (worker: PoolWorker) => void
  /** The worker takes nothing new from here on. */
  readonly onDraining: (worker: PoolWorker) => void
  /** Nothing is left in the worker, and nothing can come. */
  readonly onDrained: (worker: PoolWorker) => void
}

export class Drains {
  private readonly options: DrainsOptions

  constructor(options: DrainsOptions) {
    this.options = options
    options.messages.subscribe('drained', (worker, { last }) => this.onDrained(worker, last))
  }

  /** From here on the worker receives only requests whose ticket names it. It closes its websockets over `spreadMs`. */
  begin(worker: PoolWorker, now: number, spreadMs: number): void {
    worker.state = 'draining'
    worker.sinceMs = now
    this.options.onChanged(worker)
    this.options.onDraining(worker)
    worker.send({ switchyard: 'drain', last: false, spreadMs })
    if (worker.isOneOff) return this.announceEnd(worker)
    const reportProgress = () => {
      const { load, workerSlot } = worker
      if (worker.state !== 'draining') return clearInterval(timer)
      const leftMs = Math.max(0, worker.sinceMs + this.options.drainTimeoutMs() - Date.now())
      this.options.events.emit('workerDraining', { ...workerSlot, connections: load.connections, inFlight: load.inFlight, leftMs })
    }
    const timer = setInterval(reportProgress, PROGRESS_MS).unref()
    reportProgress()
  }

  private announceEnd({ workerSlot }: PoolWorker): void {
    const message = `it may finish its work within ${this.options.drainTimeoutMs()} ms (drainTimeoutMs), and is told to stop then`
    this.options.events.emit('workerNoticed', { ...workerSlot, level: 'info', message })
  }

  /** The worker reports that nothing is left in it. It has to report it again after it is sealed. */
  private onDrained(worker: PoolWorker, last: boolean): void {
    if (worker.state !== 'draining') return
    if (last) {
      worker.drained = true
      return this.options.onDrained(worker)
    }
    worker.empty = true
    this.sealEmpty()
  }

  /** Seals workers that have nothing left and can receive no forwards. Call it also when a worker has exited, since it may have forwarded. */
  sealEmpty(): void {
    for (const worker of this.options.workers())
      if (worker.state === 'draining' && worker.empty && !this.mayReceiveForwards(worker)) this.seal(worker)
  }

  /** If no worker of its pool is ready, draining workers of other pools still forward to it the requests that belong to its pool. */
  private mayReceiveForwards({ pool, settings }: PoolWorker): boolean {
    if (!settings.listens) return false
    const workers = [...this.options.workers()]
    const isServed = workers.some((other) => other.pool === pool && other.state === 'ready')
    return !isServed && workers.some((other) => other.pool !== pool && other.state === 'draining' && !other.empty)
  }

  /** From here on nothing new comes to the worker. */
  seal(worker: PoolWorker): void {
    if (worker.sealed) return
    worker.sealed = true
    this.options.onChanged(worker)
    const sendWhenIdle = () => {
      if (worker.state !== 'draining') return
      if (worker.channel.outstanding > 0) setTimeout(sendWhenIdle, SEAL_POLL_MS)
      else worker.send({ switchyard: 'drain', last: true, spreadMs: 0 })
    }
    sendWhenIdle()
  }
}
