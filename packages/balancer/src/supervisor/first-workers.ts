// The first worker of each pool whose app wants one. There are never two: another worker gets the place only when the holder has given it back or
// its process is gone. In an upgrade the holders of the old primary count too.

import type { BalancerEmitter } from '../events.ts'
import type { StateTransfer } from '../state-transfer.ts'
import { isAlive } from '../system/is-alive.ts'
import type { PoolWorker } from './pool-worker.ts'
import type { Supervisor } from './supervisor.ts'
import type { WorkerMessages } from './worker-messages.ts'

/** Name of the StateTransfer; both primaries use it. */
export const FIRST = 'first'
/** How often the processes of a lost old primary are looked for. */
const POLL_MS = 50

export interface FirstWorkersOptions {
  readonly events: BalancerEmitter
  readonly messages: WorkerMessages
  readonly supervisor: Pick<Supervisor, 'workers' | 'kill'>
}

export class FirstWorkers implements StateTransfer {
  readonly name = FIRST
  private readonly options: FirstWorkersOptions
  private readonly wanting = new WeakSet<PoolWorker>()
  private readonly holders = new Map<string, PoolWorker>()
  /** Holders that were told to give the place back. */
  private readonly leaving = new WeakSet<PoolWorker>()
  /** By pool: the process ids of the old primary's holders. */
  private readonly oldHolders = new Map<string, number>()
  /** No worker gets a place: a new primary has the copy of this state, or this one has no copy of the old primary's yet. */
  private isFrozen: boolean
  private isScheduled = false
  private onChange: (entry: object) => void = () => {}

  /** `isFrozen`: an old primary may have holders. Its state has arrived when this one is ready. */
  constructor(options: FirstWorkersOptions, isFrozen: boolean) {
    this.options = options
    this.isFrozen = isFrozen
    const { events, messages } = options
    messages.subscribe('first-wanted', (worker) => {
      this.wanting.add(worker)
      this.schedule()
    })
    messages.subscribe('first-released', (worker) => this.release(worker))
    for (const event of ['workerReady', 'workerRetiring', 'workerDraining', 'workerExited'] as const)
      events.on(event, () => this.schedule())
    events.on('ready', () => this.resume())
  }

  /** `onChange` gets every change of this state, for a new primary. */
  subscribe(onChange: (entry: object) => void): void {
    this.onChange = onChange
  }

  /** In a later turn: an event may be one of several, such as the drain of all workers. */
  private schedule(): void {
    if (this.isScheduled) return
    this.isScheduled = true
    setImmediate(() => {
      this.isScheduled = false
      this.update()
    })
  }

  private update(): void {
    for (const holder of this.holders.values()) {
      if (holder.state === 'gone') this.release(holder)
      else if (holder.retiring === 'hang' && !holder.killed)
        // It can't give the place back.
        this.options.supervisor.kill(holder, 'its event loop hangs, and it is the first of its pool')
      else if (holder.state === 'draining' && !this.leaving.has(holder)) {
        this.leaving.add(holder)
        holder.send({ switchyard: 'first', isFirst: false })
      }
    }
    if (this.isFrozen) return
    for (const worker of this.options.supervisor.workers()) if (this.mayHold(worker)) this.appoint(worker)
  }

  private mayHold(worker: PoolWorker): boolean {
    const { pool, state, retiring, stoppingMs } = worker
    if (state !== 'ready' || retiring !== undefined || stoppingMs !== undefined || !this.wanting.has(worker)) return false
    return !this.holders.has(pool) && !this.oldHolders.has(pool)
  }

  private appoint(worker: PoolWorker): void {
    this.holders.set(worker.pool, worker)
    worker.isFirst = true
    worker.send({ switchyard: 'first', isFirst: true })
    const { workerSlot } = worker
    this.options.events.emit('workerNoticed', { ...workerSlot, level: 'info', message: 'is the first worker of its pool' })
    this.onChange({ pool: worker.pool, pid: workerSlot.pid })
  }

  private release(worker: PoolWorker): void {
    if (!worker.isFirst) return
    worker.isFirst = false
    this.holders.delete(worker.pool)
    this.onChange({ pool: worker.pool, pid: 0 })
    this.schedule()
  }

  // ---- In the old primary ----

  *entries(): Generator<object> {
    for (const [pool, { workerSlot }] of this.holders) yield { pool, pid: workerSlot.pid }
  }

  freeze(): Iterable<object> {
    this.isFrozen = true
    return []
  }

  /** Workers may get the place from now on. */
  resume(): void {
    this.isFrozen = false
    this.schedule()
  }

  // ---- In the new primary ----

  receive(entry: unknown): void {
    const { pool, pid } = (entry ?? {}) as { pool?: unknown; pid?: unknown }
    if (typeof pool !== 'string') return
    if (Number.isSafeInteger(pid) && (pid as number) > 0) this.oldHolders.set(pool, pid as number)
    else this.oldHolders.delete(pool)
    this.schedule()
  }

  /** Its workers exit soon. One that hangs may live on for a while. */
  onOldPrimaryGone(): void {
    for (const [pool, pid] of this.oldHolders) if (!isAlive(pid)) this.oldHolders.delete(pool)
    if (this.oldHolders.size > 0) setTimeout(() => this.onOldPrimaryGone(), POLL_MS).unref()
    this.schedule()
  }
}
