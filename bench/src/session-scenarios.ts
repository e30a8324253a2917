// The scenarios of `sessions`, as data, and their targets.

import type { AbsoluteTarget, Target } from './scenarios.ts'

export interface SessionScenario {
  readonly name: string
  /** Followed by the number of the visitor. */
  readonly path: string
  /** Each request raises the session's count by one. */
  readonly writes: boolean
}

/** Each with its own session and connection. */
export const VISITORS = 64

/** The contender that the others are compared with. */
export const CONNECT_REDIS = 'express-session, connect-redis'

export const sessionScenarios: readonly SessionScenario[] = [
  { name: 'read-write', path: '/read-write', writes: true },
  { name: 'read', path: '/read', writes: false },
]

/** The load of all contenders, in words. */
export const sessionLoad = `${VISITORS} visitors, each with a session of 0.4 KB and a kept-alive connection to one of two workers; a Redis of its own for each that has one`

/** Of the time of a request while all visitors ask as fast as they are answered: half of it is twice the throughput. */
export const throughputTargets: readonly Target[] = ['embedded', 'redis, no near cache', 'redis, near cache'].map((contender) => ({
  scenario: 'read-write',
  contender,
  against: CONNECT_REDIS,
  atMost: 0.5,
}))

/** An entry of the near cache that is too old is read again now and then. */
export const roundTripTarget: AbsoluteTarget = {
  scenario: 'read',
  contender: 'redis, near cache',
  unit: 'round trips per request',
  atMost: 0.01,
}
