// The choice of an upstream server, as a proxy worker reports it, in the form of the other decisions.

import { idleLoad } from '@switchyard/routing'
import type { ServerChoice } from '@switchyard/worker-runtime'
import type { MadeDecision } from '../decisions/decision-ring.ts'
import type { PoolWorker } from '../supervisor/pool-worker.ts'

/** The event loop of a server is not known, so it counts as free. */
const UNKNOWN = { nextInMs: Number.POSITIVE_INFINITY, onTheWay: 0 }

export function decisionOf(
  { pool, routeNames }: Pick<PoolWorker, 'pool' | 'routeNames'>,
  { atMs, route, policy, slot, generation, key, candidates }: ServerChoice,
): MadeDecision {
  return {
    ...{ timeMs: atMs, route: routeNames[route] ?? '', pool, isProxy: false, policy, origin: 'proxied', waitedMs: 0, key },
    ...{ worker: { slot, generation }, by: 'policy', refused: undefined },
    candidates: candidates.map(({ inFlight, latencyMs, weight, ...candidate }) => ({
      ...{ ...candidate, weight, seatWeight: weight },
      load: { ...idleLoad, ...UNKNOWN, inFlight, connections: inFlight, latencyMs },
    })),
  }
}
