// What is asked of those who keep sessions, as data, and what it may cost.

import type { AbsoluteTarget, Target } from './scenarios.ts'

export interface SessionScenario {
  readonly name: string
  /** Followed by the number of the visitor. */
  readonly path: string
  /** Each request leaves the session's count one higher. */
  readonly writes: boolean
}

/** Each with a session and a connection of its own. */
export const VISITORS = 64

/** Whom the others are compared with. */
export const CONNECT_REDIS = 'express-session, connect-redis'

export const sessionScenarios: readonly SessionScenario[] = [
  { name: 'read-write', path: '/read-write', writes: true },
  { name: 'read', path: '/read', writes: false },
]

/** What all of them were given, in words. */
export const sessionLoad = `${VISITORS} visitors, each with a session of 0.4 KB and a kept-alive connection to one of two workers; a Redis of its own for each that has one`

/** Of the time that a request takes while all visitors ask as fast as they are answered: half of it is twice the throughput. */
export const throughputTargets: readonly Target[] = ['embedded', 'redis, no near cache', 'redis, near cache'].map((contender) => ({
  scenario: 'read-write',
  contender,
  against: CONNECT_REDIS,
  atMost: 0.5,
}))

/** What is near is asked for once in a while, when it has become too old. */
export const roundTripTarget: AbsoluteTarget = {
  scenario: 'read',
  contender: 'redis, near cache',
  unit: 'round trips per request',
  atMost: 0.01,
}
