// The newest decisions in fixed rows. Recording writes numbers and references that exist already; objects for readers are made when they are read.

import { KeyHasher, type PolicyKey } from '@switchyard/routing'
import type { RefusalReason } from '../events.ts'
import type { ChoiceWay } from '../status.ts'
import type { Decision, DecisionCandidate, DecisionOrigin } from './decision.ts'
import type { PoolCandidate } from './frozen-candidates.ts'

const ROWS = 1_000
/** Of one decision. Memory: a row keeps 120 bytes for each. */
const MAX_CANDIDATES = 64
const FIELDS = 15

/** A decision when it is made. */
export interface MadeDecision {
  readonly timeMs: number
  readonly route: string
  readonly pool: string
  /** The slots are those of proxy workers. */
  readonly isProxy: boolean
  readonly policy: string
  readonly origin: DecisionOrigin
  readonly waitedMs: number
  readonly key: PolicyKey | undefined
  readonly worker: { readonly slot: number; readonly generation: number } | undefined
  readonly by: ChoiceWay | undefined
  readonly refused: RefusalReason | undefined
  /** Empty: the decision was made without them. */
  readonly candidates: readonly SeenCandidate[]
}

/** A candidate as the choice saw it. */
export type SeenCandidate = Pick<PoolCandidate, 'slot' | 'generation' | 'weight' | 'load'> & { readonly seatWeight: number }

class Row {
  timeMs = 0
  route = ''
  pool = ''
  isProxy = false
  policy = ''
  origin: DecisionOrigin = 'client'
  waitedMs = 0
  keyKind: string | undefined = undefined
  keyLow = 0
  keyHigh = 0
  slot = -1
  generation = 0
  by: ChoiceWay | undefined = undefined
  refused: RefusalReason | undefined = undefined
  count = 0
  omitted = 0
  /** FIELDS numbers for each candidate. It grows with the pool, and is used again. */
  loads = new Float64Array(0)
}

export class DecisionRing {
  /** How many decisions were recorded; the number of the newest. */
  recorded = 0
  private readonly rows: Row[] = []
  private readonly hasher: KeyHasher

  constructor(hasher: KeyHasher) {
    this.hasher = hasher
  }

  /** The number of the oldest decision that is still here. */
  get oldest(): number {
    return Math.max(1, this.recorded - ROWS + 1)
  }

  record({ timeMs, route, pool, isProxy, policy, origin, waitedMs, key, worker, by, refused, candidates }: MadeDecision): void {
    const row = this.nextRow()
    row.timeMs = timeMs
    row.route = route
    row.pool = pool
    row.isProxy = isProxy
    row.policy = policy
    row.origin = origin
    row.waitedMs = waitedMs
    row.keyKind = key?.kind
    if (key !== undefined) {
      // Not the key itself: it would keep the whole head in memory.
      const { low, high } = KeyHasher.digest(key.value)
      row.keyLow = low
      row.keyHigh = high
    }
    row.slot = worker?.slot ?? -1
    row.generation = worker?.generation ?? 0
    row.by = by
    row.refused = refused
    recordLoads(row, candidates)
  }

  /** Undefined: it is overwritten, or not recorded yet. */
  read(number: number): Decision | undefined {
    const row = number < this.oldest || number > this.recorded ? undefined : this.rows[(number - 1) % ROWS]
    if (row === undefined) return undefined
    const { timeMs, route, pool, isProxy, policy, origin, waitedMs, keyKind, keyLow, keyHigh, slot, generation, by, refused, omitted } = row
    return {
      number,
      time: timeMs,
      route,
      pool,
      ...(isProxy && { proxy: true }),
      policy,
      origin,
      waitedMs,
      key: keyKind === undefined ? null : { kind: keyKind, hash: this.hasher.show({ low: keyLow, high: keyHigh }) },
      worker: slot === -1 ? null : { slot, generation },
      by: by ?? null,
      refused: refused ?? null,
      candidates: Array.from({ length: row.count }, (_, index) => candidateAt(row.loads, index * FIELDS)),
      omitted,
    }
  }

  private nextRow(): Row {
    const index = this.recorded++ % ROWS
    const known = this.rows[index]
    if (known !== undefined) return known
    const row = new Row()
    this.rows[index] = row
    return row
  }
}

function recordLoads(row: Row, candidates: readonly SeenCandidate[]): void {
  row.count = Math.min(candidates.length, MAX_CANDIDATES)
  row.omitted = candidates.length - row.count
  if (row.loads.length < row.count * FIELDS) row.loads = new Float64Array(row.count * FIELDS)
  const { loads } = row
  for (let index = 0, at = 0; index < row.count; index++) {
    const { slot, generation, weight, seatWeight, load } = candidates[index] as SeenCandidate
    loads[at++] = slot
    loads[at++] = generation
    loads[at++] = weight
    loads[at++] = seatWeight
    loads[at++] = load.inFlight
    loads[at++] = load.connections
    loads[at++] = load.isFree ? 1 : 0
    loads[at++] = load.busyMs
    loads[at++] = load.turnWaitMs
    loads[at++] = load.turnMs
    loads[at++] = load.loopLagMs
    loads[at++] = load.utilisation
    loads[at++] = load.latencyMs
    loads[at++] = load.nextInMs
    loads[at++] = load.onTheWay
  }
}

function candidateAt(loads: Float64Array, at: number): DecisionCandidate {
  const number = (field: number): number => loads[at + field] as number
  const nextInMs = number(13)
  return {
    slot: number(0),
    generation: number(1),
    weight: number(2),
    seatWeight: number(3),
    inFlight: number(4),
    connections: number(5),
    isFree: number(6) === 1,
    busyMs: number(7),
    turnWaitMs: number(8),
    turnMs: number(9),
    loopLagMs: number(10),
    utilisation: number(11),
    latencyMs: number(12),
    nextInMs: Number.isFinite(nextInMs) ? nextInMs : null,
    onTheWay: number(14),
  }
}
