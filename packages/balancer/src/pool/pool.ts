// A pool: the workers that run one app, which of them are candidates now, and who waits for one.

import { tellSeats } from '@switchyard/handoff'
import type { RequestHead } from '@switchyard/routing'
import type { PoolSettings } from '../settings.ts'
import { PoolWorker } from './pool-worker.ts'
import { Queue } from './queue.ts'

/** What `choose` found. `wait`: somebody will come free. `nobody`: no worker is there, and none is coming up. */
export type Choice = PoolWorker | 'wait' | 'nobody'

/** What a pool needs of a policy. */
export interface PoolPolicy {
  pick(candidates: readonly PoolWorker[], head: RequestHead): unknown
  home?(head: RequestHead): { slot: number; firm: boolean } | undefined
}

export class Pool {
  readonly settings: PoolSettings
  readonly queue: Queue
  /** Every process of this pool that is not gone. */
  readonly workers = new Set<PoolWorker>()
  /** The next start of a worker, if one is due: what a refused client is told to wait for. */
  nextStartMs: number | undefined
  /** Connections that workers claimed, and that were taken back from them, counting those that are gone. */
  readonly past = { claimed: 0, takenBack: 0 }
  private candidates: PoolWorker[] = []
  private ready: PoolWorker[] = []
  private slots: number[] = []

  constructor(settings: PoolSettings) {
    this.settings = settings
    this.queue = new Queue(settings.queueLimit, settings.queueTimeoutMs)
  }

  get readyCount(): number {
    return this.ready.length
  }

  add(worker: PoolWorker): void {
    this.workers.add(worker)
    tellSeats(worker.channel.row, this.slots)
  }

  remove(worker: PoolWorker): void {
    this.workers.delete(worker)
    this.refresh()
  }

  /** A worker's state has changed, or its channel has filled or emptied. */
  refresh(): void {
    this.ready = [...this.workers].filter((worker) => worker.state === 'ready').sort((one, other) => one.slot - other.slot)
    this.candidates = this.ready.filter((worker) => worker.channel.hasRoom)
    const slots = [...new Set(this.ready.map(({ slot }) => slot))]
    if (slots.length === this.slots.length && slots.every((slot, index) => slot === this.slots[index])) return
    this.slots = slots
    // Before anybody is chosen by the new list, every worker judges by it.
    for (const worker of this.workers) tellSeats(worker.channel.row, slots)
  }

  /** Who should have this request: the policy's choice among the candidates, or why there is none. */
  choose(policy: PoolPolicy, head: RequestHead): Choice {
    const { candidates, ready } = this
    if (candidates.length !== ready.length && policy.home !== undefined) {
      // Somebody is full. What a session id names exists nowhere else, so it is waited for.
      const home = policy.home(head)
      if (home?.firm === true && ready.some((worker) => worker.slot === home.slot && !worker.channel.hasRoom)) return 'wait'
    }
    const chosen = policy.pick(candidates, head)
    if (chosen instanceof PoolWorker) return chosen
    if (ready.length > 0) return 'wait'
    return this.hasStarting() ? 'wait' : 'nobody'
  }

  private hasStarting(): boolean {
    for (const worker of this.workers) if (worker.state === 'starting') return true
    return false
  }
}
