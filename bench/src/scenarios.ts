// What is asked of the contenders, as data, and what it may cost.

export interface Scenario {
  readonly name: string
  /** What the cost is counted for. */
  readonly unit: string
  readonly connections: number
  /** A connection serves one request only. */
  readonly reconnect: boolean
}

/** The CPU time of `contender` over that of `against`, in the same run. */
export interface Target {
  readonly scenario: string
  readonly contender: string
  readonly against: string
  readonly atMost: number
}

export const scenarios: readonly Scenario[] = [
  { name: 'kept-alive', unit: 'request', connections: 64, reconnect: false },
  { name: 'new-connections', unit: 'new connection', connections: 64, reconnect: true },
]

export const targets: readonly Target[] = [
  { scenario: 'kept-alive', contender: 'switchyard', against: 'SCHED_NONE', atMost: 1.05 },
  { scenario: 'new-connections', contender: 'switchyard', against: 'SCHED_NONE', atMost: 1.1 },
  { scenario: 'new-connections', contender: 'switchyard', against: 'node:cluster', atMost: 0.5 },
]
