// What a good engineer would say from what is seen. Pure. Each piece has enough evidence, in time and in counts, or is not given.

import type { Advice } from '../advice.ts'
import { blockingRequests } from './blocking-requests.ts'
import { failingSessions } from './failing-sessions.ts'
import { growingMemory } from './growing-memory.ts'
import type { Observations } from './observations.ts'
import { periodOf } from './period.ts'
import { changingKeys, lostSessions } from './stickiness.ts'
import { untrustedProxies } from './untrusted-proxy.ts'
import { waiting } from './waiting.ts'
import { idleLoops, tooManyWorkers } from './worker-count.ts'

/** All advice at the time of the last sample, the most useful first. */
export function advise(observations: Observations): Advice[] {
  const period = periodOf(observations)
  const blocking = blockingRequests(period)
  return [
    ...lostSessions(period),
    ...failingSessions(period),
    ...[...blocking.values()].flat(),
    ...waiting(observations, blocking),
    ...growingMemory(period),
    ...changingKeys(period),
    ...untrustedProxies(period),
    ...tooManyWorkers(period),
    ...idleLoops(period),
  ]
}
