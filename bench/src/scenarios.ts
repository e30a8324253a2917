// The scenarios of the costs, as data, and their targets.

export interface Scenario {
  readonly name: string
  /** The unit of a cost. */
  readonly unit: string
  readonly requestsPerUnit: number
  readonly connections: number
  /** A connection serves one request only. */
  readonly reconnect: boolean
  /** Paths. A connection asks those of one group, over and over; the connections are divided evenly over the groups. */
  readonly groups: readonly (readonly string[])[]
  /**
   * `any`: any path of its group, one at a time. `in-turn`: strictly one after the other, each of another pool. `together`: the whole
   * group in one write, pipelined.
   */
  readonly order: 'any' | 'in-turn' | 'together'
  /** How long an answer may take before it counts as a timeout; left out: 5. */
  readonly patienceSeconds?: number
  /** Above 0: every request is a POST with a body of this many bytes. */
  readonly bodyBytes: number
  /**
   * There are enough clients to keep every worker busy. A turn is longer, and the next one starts when the requests left over at its end
   * are done.
   */
  readonly saturates?: true
  /** The share of requests, from 0 to 1, that a balancer that steers must have moved, and in which way. Left out: nothing is steered. */
  readonly moves?: Moves
}

/** Connections given back with a request, and requests forwarded. */
export interface Moves {
  readonly givenBack: number
  readonly forwarded: number
}

/** The value of `contender` over that of `against`, in the same run. */
export interface Ratio {
  readonly scenario: string
  readonly contender: string
  readonly against: string
}

export interface Target extends Ratio {
  readonly atMost: number
}

/** For values that should be high. */
export interface LeastTarget extends Ratio {
  readonly atLeast: number
}

/** The value of `contender` itself. */
export interface AbsoluteTarget extends Omit<Target, 'against'> {
  readonly unit: string
}

const hello = {
  unit: 'request',
  requestsPerUnit: 1,
  connections: 64,
  reconnect: false,
  groups: [['/']],
  order: 'any',
  bodyBytes: 0,
} as const

const routed = Array.from({ length: 50 }, (_, index) => `/${index % 2 === 0 ? 'a' : 'b'}-${index + 1}/items`)

export const scenarios: readonly Scenario[] = [
  { ...hello, name: 'kept-alive' },
  { ...hello, name: 'new-connections', unit: 'new connection', reconnect: true },
  {
    ...hello,
    name: 'kept-alive-steered',
    groups: [routed.filter((path) => path.startsWith('/a')), routed.filter((path) => path.startsWith('/b'))],
    moves: { givenBack: 0, forwarded: 0 },
  },
  { ...hello, name: 'every-request-moves', groups: [['/a', '/b']], order: 'in-turn', moves: { givenBack: 1, forwarded: 0 } },
  {
    ...hello,
    name: 'forwarded-post',
    unit: 'forwarded request',
    requestsPerUnit: 2,
    groups: [['/a', '/b']],
    order: 'together',
    bodyBytes: 1_000,
    moves: { givenBack: 0, forwarded: 0.5 },
  },
]

/** The scenarios of a contender that names none. */
export const plainScenarios: readonly string[] = ['kept-alive', 'new-connections']

export const targets: readonly Target[] = [
  { scenario: 'kept-alive', contender: 'switchyard', against: 'SCHED_NONE', atMost: 1.05 },
  { scenario: 'new-connections', contender: 'switchyard', against: 'SCHED_NONE', atMost: 1.1 },
  { scenario: 'new-connections', contender: 'switchyard', against: 'node:cluster', atMost: 0.5 },
  { scenario: 'kept-alive-steered', contender: 'switchyard', against: 'SCHED_NONE', atMost: 1.05 },
  { scenario: 'every-request-moves', contender: 'switchyard', against: 'nginx', atMost: 2.2 },
  { scenario: 'every-request-moves', contender: 'switchyard', against: 'http-proxy', atMost: 0.5 },
  { scenario: 'forwarded-post', contender: 'switchyard', against: 'http-proxy', atMost: 1.2 },
]

/** The targets of `observing`. */
export const observingTargets: readonly Target[] = plainScenarios.map((scenario) => ({
  ...{ scenario, contender: 'everything', against: 'nothing', atMost: 1.03 },
}))
