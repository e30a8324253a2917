// Copies of candidates, with the load of one moment. Workers change their loads at any time, in shared memory: a policy that is recorded chooses among
// copies, so that the record holds exactly what the policy saw.

import type { LoadRow } from '@switchyard/handoff'
import type { Candidate } from '@switchyard/routing'
import type { PoolWorker } from '../supervisor/pool-worker.ts'

/** The part of a load row by which the pool chooses. */
export type ChoiceLoad = Candidate['load'] & Pick<LoadRow, 'nextInMs' | 'onTheWay'>

/** A candidate as the pool and its policy see it: the worker itself, or a copy. */
export interface PoolCandidate extends Candidate {
  readonly load: ChoiceLoad
}

class FrozenLoad implements ChoiceLoad {
  private readonly row: LoadRow
  inFlight = 0
  connections = 0
  isFree = false
  busyMs = 0
  turnWaitMs = 0
  turnMs = 0
  loopLagMs = 0
  utilisation = 0
  latencyMs = 0
  /** Infinity until `copyNext`: it takes long to compute, and few choices need it. */
  nextInMs = Number.POSITIVE_INFINITY
  onTheWay = 0

  constructor(row: LoadRow) {
    this.row = row
  }

  get memoryBytes(): number {
    return this.row.memoryBytes
  }

  copy(): void {
    const { row } = this
    this.inFlight = row.inFlight
    this.connections = row.connections
    this.isFree = row.isFree
    this.busyMs = row.busyMs
    this.turnWaitMs = row.turnWaitMs
    this.turnMs = row.turnMs
    this.loopLagMs = row.loopLagMs
    this.utilisation = row.utilisation
    this.latencyMs = row.latencyMs
    this.onTheWay = row.onTheWay
    this.nextInMs = Number.POSITIVE_INFINITY
  }

  copyNext(): void {
    this.nextInMs = this.row.nextInMs
  }
}

/** The copy of one worker. It is the same object in every choice. */
export class FrozenCandidate implements PoolCandidate {
  readonly worker: PoolWorker
  readonly load: FrozenLoad
  weight = 0

  constructor(worker: PoolWorker) {
    this.worker = worker
    this.load = new FrozenLoad(worker.load)
  }

  get slot(): number {
    return this.worker.slot
  }

  get generation(): number {
    return this.worker.generation
  }

  get seatWeight(): number {
    return this.worker.seatWeight
  }

  copy(): void {
    this.weight = this.worker.weight
    this.load.copy()
  }
}

/** The copies of one pool. A choice allocates nothing while the workers stay the same. */
export class FrozenCandidates {
  private readonly copies = new WeakMap<PoolWorker, FrozenCandidate>()
  private readonly taken: FrozenCandidate[] = []

  /** Copies these workers. The result is valid until the next call. */
  take(workers: readonly PoolWorker[]): readonly FrozenCandidate[] {
    const { taken } = this
    taken.length = workers.length
    for (let index = 0; index < workers.length; index++) {
      const worker = workers[index] as PoolWorker
      if (taken[index]?.worker !== worker) taken[index] = this.copyOf(worker)
      ;(taken[index] as FrozenCandidate).copy()
    }
    return taken
  }

  private copyOf(worker: PoolWorker): FrozenCandidate {
    const known = this.copies.get(worker)
    if (known !== undefined) return known
    const copy = new FrozenCandidate(worker)
    this.copies.set(worker, copy)
    return copy
  }
}
