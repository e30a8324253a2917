// How workers are let go of: each is told to drain, news is given while it does, and when nothing is left in it nothing comes to it any more.

import type { BalancerEmitter } from '../events.ts'
import type { PoolWorker } from './pool-worker.ts'
import type { WorkerMessages } from './worker-messages.ts'

const NEWS_MS = 5000
const SEAL_POLL_MS = 5

export interface DrainsOptions {
  readonly messages: WorkerMessages
  readonly events: BalancerEmitter
  readonly drainTimeoutMs: () => number
  readonly workers: () => Iterable<PoolWorker>
  /** Who may be chosen has changed. */
  readonly onChanged: (worker: PoolWorker) => void
  /** It takes nothing new from here on. */
  readonly onDraining: (worker: PoolWorker) => void
  /** Nothing is left in it, and nothing can come. */
  readonly onDrained: (worker: PoolWorker) => void
}

export class Drains {
  private readonly options: DrainsOptions

  constructor(options: DrainsOptions) {
    this.options = options
    options.messages.subscribe('drained', (worker, { last }) => this.onDrained(worker, last))
  }

  /** From here on only what carries a ticket of its own comes to it. `spreadMs`: over how long its websockets are told goodbye. */
  begin(worker: PoolWorker, now: number, spreadMs: number): void {
    worker.state = 'draining'
    worker.sinceMs = now
    this.options.onChanged(worker)
    this.options.onDraining(worker)
    worker.send({ switchyard: 'drain', last: false, spreadMs })
    const send = () => {
      const { load, workerSlot } = worker
      if (worker.state !== 'draining') return clearInterval(news)
      const leftMs = Math.max(0, worker.sinceMs + this.options.drainTimeoutMs() - Date.now())
      this.options.events.emit('workerDraining', { ...workerSlot, connections: load.connections, inFlight: load.inFlight, leftMs })
    }
    // Nobody waits for news of who is gone.
    const news = setInterval(send, NEWS_MS).unref()
    send()
  }

  /** The worker says that nothing is left in it. It has to say so again when nothing can come any more. */
  private onDrained(worker: PoolWorker, last: boolean): void {
    if (worker.state !== 'draining') return
    if (last) {
      worker.drained = true
      return this.options.onDrained(worker)
    }
    worker.empty = true
    this.sealEmpty()
  }

  /** Seals who has nothing left and is needed by nobody. To be called when a worker is gone as well: it may have been the one who needed them. */
  sealEmpty(): void {
    for (const worker of this.options.workers())
      if (worker.state === 'draining' && worker.empty && !this.mayBeAsked(worker)) this.seal(worker)
  }

  /** When nobody takes its place, workers of other pools forward to it to their end what belongs to its pool. */
  private mayBeAsked({ pool }: PoolWorker): boolean {
    const workers = [...this.options.workers()]
    const isServed = workers.some((other) => other.pool === pool && other.state === 'ready')
    return !isServed && workers.some((other) => other.pool !== pool && other.state === 'draining' && !other.empty)
  }

  /** From here on nothing comes to it. */
  seal(worker: PoolWorker): void {
    if (worker.sealed) return
    worker.sealed = true
    this.options.onChanged(worker)
    const tell = () => {
      if (worker.state !== 'draining') return
      if (worker.channel.outstanding > 0) setTimeout(tell, SEAL_POLL_MS)
      else worker.send({ switchyard: 'drain', last: true, spreadMs: 0 })
    }
    tell()
  }
}
