// Late binding (Ousterhout et al., "Sparrow", SOSP'13): chooses a candidate whose event loop takes work at once, or none; the connection then
// waits in the queue until a loop turns free. Request counts say little about a loop: many requests may wait for a database, or one may compute.

import type { Load } from '../load.ts'
import type { Candidate, Policy } from '../policy.ts'
import type { LeastBusyData, LeastBusyOptions } from '../policy-data.ts'
import { Quantile } from './quantile.ts'
import { comesBefore, costOf } from './weight.ts'

// A loop that does I/O at a high rate is hardly ever seen waiting, yet takes work within a turn. Waiting for a free loop would cost more than
// that turn, so such a loop counts as free. The next two limits keep the wait there no longer than under least in-flight.
/** Upper limit of the mean wait for a busy loop. A wait in the primary's queue and the wake-up from it cost more when there are many loops. */
const SHORT_TURN_WAIT_MS = 0.5
/** The present turn is short too: below 1 ms plus four average turns. Average turns are long only under many events at once. */
const SHORT_TURN_BUSY_MS = 1
const SHORT_TURN_BUSY_TURNS = 4

/** Latencies up to this multiple of the lowest count as equal. Otherwise an idle pool sends everything to the one luckiest worker. */
const ALIKE = 2
/** Narrower with the option `latency`. */
const ALIKE_BY_LATENCY = 1.25
/** Smaller differences come from timers or a single garbage collection. */
const LEAST_LATENCY_MS = 1
/** One in this many choices by latency goes to a slow worker. Otherwise its recovery would never be measured. */
const RENEWED_EVERY = 32

// Prequal's rule (Wydrowski et al., "Load is not what you should balance", NSDI'24, hot-cold lexicographic): a worker with more requests in
// flight than a quantile of all workers is hot and left out; among the cold workers the lowest latency wins. The paper finds quantiles from 0.6
// to 0.9 good and 1 (latency alone) bad, because latency reacts too late. Unlike the paper, the quantile is over all eligible workers and not
// over a sample, so at least one of them is cold.
//
// Not covered: a worker that fails fast looks quick, has few requests in flight, and draws requests (the paper's "sinkholing"); load says
// nothing of errors. Latency below 1 ms counts as 1 ms, so a failing worker beats only healthy workers that take longer than that. Without
// `latency` it wins ties only.
const HOT_AT = 0.75

/**
 * Makes a policy that chooses among free candidates, or else among those whose turns are short: the fewest requests in flight per weight, then
 * the lowest latency, in turn on ties. It chooses none otherwise. With `latency`: the lowest latency among candidates that are not hot.
 * Throws RangeError unless `hotAt` is from 0 to 1, or when `hotAt` comes without `latency`.
 */
export function leastBusy(options: LeastBusyOptions = {}): Policy {
  const { latency: byLatency = false, hotAt = HOT_AT } = options
  if (options.hotAt !== undefined && !byLatency) throw new RangeError('hotAt: only with latency: true')
  if (!(hotAt >= 0 && hotAt <= 1)) throw new RangeError(`hotAt: expected a number from 0 to 1, got ${hotAt}`)
  const alike = byLatency ? ALIKE_BY_LATENCY : ALIKE
  const eligible = new Quantile()
  // Workers change their loads at any time, so each load is read once per choice. No choice allocates.
  let readings = new Readings(64)
  let lastSlot = -1
  let lastRenewed = -1
  let byLatencySince = 0
  // The second half of the outcome of `choose`. Variables, because a result object would be allocated for each choice.
  let latencyDecided = false
  let isRenewal = false

  function choose(candidates: readonly Candidate[]): Candidate | undefined {
    return chooseAmong(candidates, false) ?? chooseAmong(candidates, true)
  }

  function chooseAmong(candidates: readonly Candidate[], short: boolean): Candidate | undefined {
    latencyDecided = false
    isRenewal = false
    if (readings.costs.length < candidates.length) readings = new Readings(candidates.length * 2)
    const { costs, latencies } = readings
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
      // 0 is unknown, which counts neither for nor against a worker.
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

  /** The lowest cost up to `limit` among latencies from `from` to below `below`, in turn after slot `last`. */
  function fewest(candidates: readonly Candidate[], limit: number, from: number, below: number, last: number): Candidate | undefined {
    const { costs, latencies } = readings
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

  /** Writes the cost of each eligible candidate, infinity for the others. Returns the highest cost that may win; infinity if none is eligible. */
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
    preview: choose,
    explain(candidates) {
      const chosen = choose(candidates)
      if (chosen === undefined) return candidates.length === 0 ? 'no worker is free' : `no worker is free: ${busyText(candidates)}`
      const { isFree: free, turnWaitMs, inFlight, latencyMs } = chosen.load
      const why = free ? '' : `, busy in short turns (${milliseconds(turnWaitMs)})`
      const renewed = isRenewal ? ', to measure whether it is still slow' : ''
      const quick = latencyDecided && !isRenewal ? `, and quicker than others (${milliseconds(latencyMs)})` : ''
      return `least busy: slot ${chosen.slot} with ${inFlight}${why}${quick}${renewed}`
    },
  }
}

/** What one choice has read of the candidates, in their order. */
class Readings {
  readonly costs: Float64Array
  readonly latencies: Float64Array

  constructor(count: number) {
    this.costs = new Float64Array(count)
    this.latencies = new Float64Array(count)
  }
}

/** `short`, the second round: accepts loops that are busy in short turns. */
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
