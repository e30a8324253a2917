// Late binding (Ousterhout et al., "Sparrow", SOSP'13): a candidate whose loop takes work at once, or nobody; then the connection waits where it is until a loop
// comes free. Counts of requests tell little of an event loop: one that waits for a database has many in flight and answers at once, one that computes has one.

import type { Load } from '../load.ts'
import type { Candidate, Policy } from '../policy.ts'
import type { LeastBusyData } from './policy-data.ts'
import { Quantile } from './quantile.ts'
import { comesBefore } from './turn.ts'
import { costOf } from './weight.ts'

export interface LeastBusyOptions {
  /** Choose by latency before counts, for workers of unequal health. Default false. */
  readonly latency?: boolean | undefined
  /** Only with `latency`: the quantile of requests in flight, 0 to 1, above which a worker is not asked, however quick. Default 0.75. */
  readonly hotAt?: number | undefined
}

// These two bound the patience. Loops that do I/O at a high rate are hardly ever seen waiting, and yet each takes work within a turn; to wait for one that does
// would cost more than the turn. So they count as free, and nobody waits longer there than under least in-flight.
/** Whoever finds the loop busy waits for less than this, on the average: less than a wait in the primary's queue and the wake-up from it cost when loops are many. */
const SHORT_TURN_WAIT_MS = 0.5
/** And its present turn is no exception: longer than this, and than a few average ones, which are long only where much comes at once. */
const SHORT_TURN_BUSY_MS = 1
const SHORT_TURN_BUSY_TURNS = 4

/** Latencies up to so many times the lowest count as equal: else an idle pool would send everything to the one luckiest worker. */
const ALIKE = 2
/** Narrower where latency is what was asked for. */
const ALIKE_BY_LATENCY = 1.25
/** Differences below are those of a timer or of one collection of garbage. */
const LEAST_LATENCY_MS = 1
/** Of so many choices that latency decides, one goes to a worker that it speaks against: or else nobody would ever learn that this one has recovered. */
const RENEWED_EVERY = 32

// Prequal's rule (Wydrowski et al., "Load is not what you should balance", NSDI'24, hot-cold lexicographic): whoever has more in flight than a quantile of all is
// hot and not asked; among the cold the lowest latency wins. The paper finds quantiles from 0.6 to 0.9 good, and 1 (latency alone) bad: latency tells too late.
// Hot is told from all that are eligible, not from a sample as in the paper, so that never all are hot.
//
// What this doesn't cover: a worker that fails fast looks quick, has little in flight, and draws the requests (the paper's "sinkholing"); a load says nothing of
// errors. Latency below 1 ms counts as 1 ms, so it can't outrun healthy workers that are about as quick; those that take longer it does. Without `latency` it only
// wins ties.
const HOT_AT = 0.75

/**
 * Makes a policy that chooses among the candidates that are free, or else among those that are busy by short turns only: the fewest in flight per weight, then the
 * lowest latency, in turn on ties. Nobody otherwise. With `latency`: the lowest latency among those that have not too many in flight.
 * Throws RangeError unless `hotAt` is from 0 to 1, and when it is there without `latency`.
 */
export function leastBusy(options: LeastBusyOptions = {}): Policy {
  const { latency: byLatency = false, hotAt = HOT_AT } = options
  if (options.hotAt !== undefined && !byLatency) throw new RangeError('hotAt: only with latency: true')
  if (!(hotAt >= 0 && hotAt <= 1)) throw new RangeError(`hotAt: expected a number from 0 to 1, got ${hotAt}`)
  const alike = byLatency ? ALIKE_BY_LATENCY : ALIKE
  const eligible = new Quantile()
  // Loads are in memory that others write, so each is read once; and no choice allocates.
  let noted = new Noted(64)
  let lastSlot = -1
  let lastRenewed = -1
  let byLatencySince = 0
  // Of the last `choose`.
  let latencyDecided = false
  let isRenewal = false

  function choose(candidates: readonly Candidate[]): Candidate | undefined {
    return chooseAmong(candidates, false) ?? chooseAmong(candidates, true)
  }

  function chooseAmong(candidates: readonly Candidate[], short: boolean): Candidate | undefined {
    latencyDecided = false
    isRenewal = false
    if (noted.costs.length < candidates.length) noted = new Noted(candidates.length * 2)
    const { costs, latencies } = noted
    const limit = recordCosts(candidates, short, costs)
    if (limit === Number.POSITIVE_INFINITY) return undefined
    let best: Candidate | undefined
    let least = limit
    let lowest = Number.POSITIVE_INFINITY
    let highest = 0
    for (let index = 0; index < candidates.length; index++) {
      const cost = costs[index] as number
      if (cost > limit) continue
      const candidate = candidates[index] as Candidate
      if (best === undefined || cost < least || (cost === least && comesBefore(candidate.slot, best.slot, lastSlot))) {
        best = candidate
        least = cost
      }
      const { latencyMs } = candidate.load
      latencies[index] = latencyMs
      // 0: nothing is known of it. That is no merit and no fault.
      if (latencyMs > 0 && latencyMs < lowest) lowest = latencyMs
      if (latencyMs > highest) highest = latencyMs
    }
    const bound = alike * Math.max(lowest, LEAST_LATENCY_MS)
    if (highest < bound) return best
    latencyDecided = true
    isRenewal = byLatencySince + 1 >= RENEWED_EVERY
    return isRenewal
      ? fewest(candidates, limit, bound, Number.POSITIVE_INFINITY, lastRenewed)
      : fewest(candidates, limit, 0, bound, lastSlot)
  }

  /** Of those up to the limit with a latency from `from` to below `below`: the fewest in flight for its weight, in turn after `last`. */
  function fewest(candidates: readonly Candidate[], limit: number, from: number, below: number, last: number): Candidate | undefined {
    const { costs, latencies } = noted
    let best: Candidate | undefined
    let least = limit
    for (let index = 0; index < candidates.length; index++) {
      const cost = costs[index] as number
      if (cost > least) continue
      const latencyMs = latencies[index] as number
      if (latencyMs < from || latencyMs >= below) continue
      const candidate = candidates[index] as Candidate
      if (best !== undefined && cost === least && !comesBefore(candidate.slot, best.slot, last)) continue
      best = candidate
      least = cost
    }
    return best
  }

  /** Notes the cost of each who is eligible, infinity for the others, and gives the highest that a contender may have; infinity when there is none. */
  function recordCosts(candidates: readonly Candidate[], short: boolean, costs: Float64Array): number {
    let least = Number.POSITIVE_INFINITY
    for (let index = 0; index < candidates.length; index++) {
      const candidate = candidates[index] as Candidate
      const cost = isEligible(candidate.load, short) ? costOf(candidate) : Number.POSITIVE_INFINITY
      costs[index] = cost
      if (cost < least) least = cost
    }
    return byLatency && least !== Number.POSITIVE_INFINITY ? hotLimit(costs, candidates.length) : least
  }

  function hotLimit(costs: Float64Array, count: number): number {
    eligible.clear()
    for (let index = 0; index < count; index++) {
      if (costs[index] !== Number.POSITIVE_INFINITY) eligible.add(costs[index] as number)
    }
    return eligible.at(hotAt)
  }

  return {
    name: 'least-busy',
    data: dataOf(byLatency, hotAt),
    waitsForLoop: true,
    binds: () => false,
    pick(candidates) {
      const chosen = choose(candidates)
      if (chosen === undefined) return undefined
      if (latencyDecided) byLatencySince = isRenewal ? 0 : byLatencySince + 1
      if (isRenewal) lastRenewed = chosen.slot
      else lastSlot = chosen.slot
      return chosen
    },
    explain(candidates) {
      const chosen = choose(candidates)
      if (chosen === undefined) return candidates.length === 0 ? 'nobody is free' : `nobody is free: ${busyText(candidates)}`
      const { isFree: free, turnWaitMs, inFlight, latencyMs } = chosen.load
      const why = free ? '' : `, whose turns are short (${milliseconds(turnWaitMs)})`
      const renewed = isRenewal ? ', to learn whether it is as slow as before' : ''
      const quick = latencyDecided && !isRenewal ? `, and quicker than others (${milliseconds(latencyMs)})` : ''
      return `least busy: slot ${chosen.slot}${why} with ${inFlight}${quick}${renewed}`
    },
  }
}

/** What a choice has read of the candidates, in their order. */
class Noted {
  readonly costs: Float64Array
  readonly latencies: Float64Array

  constructor(count: number) {
    this.costs = new Float64Array(count)
    this.latencies = new Float64Array(count)
  }
}

/** Free, or in the second round `short`: busy by short turns only. */
function isEligible(load: Load, short: boolean): boolean {
  if (!short) return load.isFree
  return load.turnWaitMs < SHORT_TURN_WAIT_MS && load.busyMs < SHORT_TURN_BUSY_MS + SHORT_TURN_BUSY_TURNS * load.turnMs
}

function busyText(candidates: readonly Candidate[]): string {
  const longest = candidates.reduce((one, other) => (other.load.busyMs > one.load.busyMs ? other : one))
  const since = longest.load.busyMs > 0 ? `, slot ${longest.slot} for ${milliseconds(longest.load.busyMs)}` : ''
  return `${candidates.length === 1 ? 'the only loop is' : `all ${candidates.length} loops are`} busy${since}`
}

function milliseconds(ms: number): string {
  return `${ms < 10 ? Math.round(ms * 10) / 10 : Math.round(ms)} ms`
}

function dataOf(byLatency: boolean, hotAt: number): 'least-busy' | LeastBusyData {
  return byLatency ? { 'least-busy': { latency: true, hotAt } } : 'least-busy'
}
