// Simulates a pool for the plan: workers start, serve, crash and hang on command, and every action of the plan is carried out. Time is a number.

import { DesiredPool, type PoolVersion } from '../../src/supervisor/desired-pool.ts'
import { type Action, plan, restartDelayMs } from '../../src/supervisor/plan.ts'
import type { PlannedWorker, SlotStarts } from '../../src/supervisor/plan-input.ts'
import { plainPool } from '../support/plain-pool.ts'

/** What the workers of a generation do. */
export type Deploy = 'good' | 'crashes' | 'never listens' | 'exits soon' | 'hangs'

interface WorldWorker {
  id: number
  slot: number
  generation: number
  state: 'starting' | 'ready' | 'draining'
  sinceMs: number
  upMs: number | undefined
  hungSinceMs: number | undefined
  retiring: PlannedWorker['retiring']
  sealed: boolean
  drained: boolean
  stoppingMs: number | undefined
  readonly startedMs: number
}

const POOL = 'web'
const STEP_MS = 100
const START_MS = 300
const DRAIN_MS = 400
const HANG_MS = 2000
const START_TIMEOUT_MS = 3000
const limits = { drainTimeoutMs: 5000, maxRestarts: 1000, restartWindowMs: 60_000, startsAtOnce: 3, outageRetryMs: 3000 }

export class World {
  nowMs = 1_000_000
  readonly desired: DesiredPool
  workers: WorldWorker[] = []
  /** Actions of the plan that break its promises. */
  readonly faults: string[] = []
  private readonly deploys = new Map<number, Deploy>([[0, 'good']])
  private readonly histories = new Map<number, SlotStarts>()
  private proven = false
  private lastId = 0
  /** The last plan has no action, and no moment at which time alone may call for one. */
  private isPlanDone = false

  constructor(workers: number) {
    this.desired = new DesiredPool(versionWith(workers))
    this.settle(20_000)
  }

  get ready(): WorldWorker[] {
    return this.workers.filter(({ state }) => state === 'ready')
  }

  get isAsDesired(): boolean {
    const { workers, generation, held } = this.desired
    const slots = workerSlots(workers).filter((slot) => !held.has(slot))
    return (
      this.workers.length === slots.length &&
      slots.every((slot) =>
        this.ready.some((worker) => worker.slot === slot && worker.generation === generation && worker.retiring === undefined),
      )
    )
  }

  /** Begins a reload, unless another is under way or old workers are still there. Returns whether it has begun. */
  reload(deploy: Deploy, workers: number): boolean {
    const { generation, held } = this.desired
    if (workerSlots(workers).every((slot) => held.has(slot))) return false
    if (this.desired.previous !== undefined || this.workers.some((worker) => worker.generation !== generation)) return false
    this.desired.beginReload(versionWith(workers))
    this.deploys.set(this.desired.generation, deploy)
    return true
  }

  /** Holds a slot, but never the last one: a reload of a pool without slots tests nothing. */
  hold(slot: number): void {
    const { held, workers } = this.desired
    if (workerSlots(workers).some((other) => other !== slot && !held.has(other))) held.add(slot)
  }

  scale(workers: number): void {
    if (workerSlots(workers).some((slot) => !this.desired.held.has(slot))) this.desired.scaleTo(workers)
  }

  crash(index: number): void {
    const worker = this.workers[index % Math.max(this.workers.length, 1)]
    if (worker !== undefined) this.exit(worker, false)
  }

  hang(index: number): void {
    const worker = this.ready[index % Math.max(this.ready.length, 1)]
    if (worker !== undefined) worker.hungSinceMs ??= this.nowMs
  }

  retire(index: number): void {
    const worker = this.ready[index % Math.max(this.ready.length, 1)]
    if (worker !== undefined) worker.retiring ??= 'memory'
  }

  /** Lets time pass and carries out the plan at every step. Skips the rest of the time when only an event could change anything. */
  settle(forMs: number): void {
    const untilMs = this.nowMs + Math.ceil(forMs / STEP_MS) * STEP_MS
    for (; this.nowMs < untilMs; this.nowMs += STEP_MS) {
      this.step()
      if (this.isPlanDone && this.workers.every((worker) => this.isSteady(worker))) this.nowMs = untilMs - STEP_MS
    }
  }

  step(): void {
    for (const worker of [...this.workers]) this.live(worker)
    for (let rounds = 0; rounds < 10; rounds++) {
      const { actions, nextMs } = plan(
        { pools: [this.desired], stopping: false, ...limits },
        {
          workers: this.workers.map((worker) => this.planned(worker)),
          history: ({ slot }) => this.histories.get(slot),
          provenPools: new Set(this.proven ? [POOL] : []),
        },
        this.nowMs,
      )
      for (const action of actions) this.carryOut(action)
      this.isPlanDone = actions.length === 0 && nextMs === Number.POSITIVE_INFINITY
      if (actions.length === 0) break
    }
    const generations = new Set(this.workers.map(({ generation }) => generation))
    if (generations.size > 2) this.faults.push(`${generations.size} generations at once`)
    for (const slot of new Set(this.workers.map((worker) => worker.slot))) {
      const here = this.workers.filter((worker) => worker.slot === slot && worker.state !== 'draining' && worker.stoppingMs === undefined)
      if (here.length > 2) this.faults.push(`${here.length} workers in slot ${slot}`)
    }
  }

  /** Time alone changes nothing about the worker. */
  private isSteady({ generation, state, hungSinceMs, retiring, stoppingMs }: WorldWorker): boolean {
    const isUndisturbed = hungSinceMs === undefined && retiring === undefined && stoppingMs === undefined
    return state === 'ready' && isUndisturbed && this.deploys.get(generation) === 'good'
  }

  private live(worker: WorldWorker): void {
    const age = this.nowMs - worker.startedMs
    const deploy = this.deploys.get(worker.generation) ?? 'good'
    if (worker.stoppingMs !== undefined) return this.exit(worker, true)
    if (worker.state === 'starting' && age >= START_MS) {
      if (deploy === 'crashes') return this.exit(worker, false)
      if (deploy !== 'never listens') worker.upMs ??= this.nowMs
      if (deploy === 'hangs') worker.hungSinceMs ??= this.nowMs
    }
    if (deploy === 'exits soon' && age >= START_MS + 1000) return this.exit(worker, false)
    if (worker.state === 'draining' && this.nowMs - worker.sinceMs >= DRAIN_MS && worker.hungSinceMs === undefined) worker.drained = true
    if (worker.state === 'ready' && worker.hungSinceMs !== undefined && this.nowMs - worker.hungSinceMs >= HANG_MS) worker.retiring = 'hang'
  }

  private planned(worker: WorldWorker): PlannedWorker {
    const { id, slot, generation, state, sinceMs, upMs, hungSinceMs, retiring, sealed, drained, stoppingMs } = worker
    const silentMs = hungSinceMs === undefined ? 0 : this.nowMs - hungSinceMs
    const stopTimeoutMs = undefined
    return {
      pool: POOL,
      id,
      slot,
      generation,
      state,
      sinceMs,
      upMs,
      silentMs,
      retiring,
      hasBegun: upMs !== undefined,
      sealed,
      drained,
      stoppingMs,
      stopTimeoutMs,
      isOneOff: false,
    }
  }

  private carryOut(action: Action): void {
    const worker = 'id' in action ? this.workers.find(({ id }) => id === action.id) : undefined
    switch (action.do) {
      case 'start': {
        const { nowMs } = this
        this.workers.push({
          ...{
            id: ++this.lastId,
            slot: action.workerSlot.slot,
            generation: action.generation,
            state: 'starting',
            sinceMs: nowMs,
            startedMs: nowMs,
          },
          ...{ upMs: undefined, hungSinceMs: undefined, retiring: undefined, sealed: false, drained: false, stoppingMs: undefined },
        })
        return
      }
      case 'admit':
        if (worker === undefined) return
        worker.state = 'ready'
        worker.sinceMs = this.nowMs
        this.proven = true
        return
      case 'drain':
        if (worker === undefined) return
        if (!this.mayStop(worker))
          this.faults.push(`${worker.slot} of generation ${worker.generation} was drained before its replacement served`)
        worker.state = 'draining'
        worker.sinceMs = this.nowMs
        return
      case 'seal':
        if (worker !== undefined) worker.sealed = true
        return
      case 'stop':
      case 'kill':
      case 'kill-late':
        if (worker === undefined) return
        if (worker.state === 'ready' && !this.mayStop(worker)) this.faults.push(`${worker.slot} was stopped before its replacement served`)
        worker.stoppingMs = this.nowMs
        return
      case 'break':
        this.desired.broken.add(action.workerSlot.slot)
        return
      case 'begin-outage':
        this.desired.outageSinceMs = this.nowMs
        return
      case 'give-up':
        this.faults.push('a pool that was up was given up')
        return
      case 'revert':
        return this.desired.revert(action.why)
      case 'record-replaced':
        return this.desired.complete()
    }
  }

  /** A worker may stop when another serves in its slot, or the slot should be empty. */
  private mayStop({ slot, id }: WorldWorker): boolean {
    const { workers, held, generation } = this.desired
    if (slot >= workers || held.has(slot)) return true
    return this.ready.some((other) => other.id !== id && other.slot === slot && other.generation === generation)
  }

  private exit(worker: WorldWorker, expected: boolean): void {
    this.workers.splice(this.workers.indexOf(worker), 1)
    const { desired, nowMs } = this
    const isOfReload = desired.previous !== undefined && worker.generation === desired.generation && worker.state !== 'draining'
    if (isOfReload) desired.failure ??= 'it exited'
    if (isOfReload || (expected && worker.state !== 'starting') || worker.state === 'draining') return
    const before = this.histories.get(worker.slot)?.failures ?? 0
    const failures = worker.state === 'ready' && nowMs - worker.sinceMs >= 5000 ? 0 : before + 1
    this.histories.set(worker.slot, { failures, startAtMs: nowMs + restartDelayMs(failures, 1, 100, 3000), failedMs: [nowMs] })
  }
}

function workerSlots(workers: number): number[] {
  return Array.from({ length: workers }, (_, slot) => slot)
}

function versionWith(workers: number): PoolVersion {
  const settings = plainPool({ name: POOL, workers, reload: { maxSurge: 1, settleMs: 1500 } })
  return { settings, startTimeoutMs: START_TIMEOUT_MS, shared: undefined as never }
}
