// The scenarios of `queueing`, as data, with their targets.

import type { Target } from './scenarios.ts'
import type { Stream } from './trace.ts'

/** Requests that all take the same time. */
export interface WorkStream extends Stream {
  /** Milliseconds before the work starts. */
  readonly timerMs: number
  /** How long a request occupies its worker. */
  readonly blockMs: number
}

export interface QueueingScenario {
  readonly name: string
  readonly workers: number
  readonly reconnect: boolean
  /** More than are ever busy at once. Otherwise the client's own queue would do the work of the balancer's. */
  readonly connections: number
  readonly streams: readonly WorkStream[]
}

/** Stands in targets for the contender with the lowest p99 that is not ours. */
export const BEST_OTHER = 'the best other'
/** The central queue on the same trace. */
export const IDEAL = 'ideal'
/** The same, whose workers need for a request, besides the time it asks for, as much CPU as a server of Node without a balancer. */
export const NODE_IDEAL = 'ideal, of Node'
/** The contender whose CPU time per request is Node's cost of a request. */
export const KERNEL = 'SCHED_NONE'
/** Holds one request at a time per server: the nearest that a proxy comes to a central queue. */
export const ONE_EACH = 'HAProxy maxconn 1'
export const NAIVE = 'naive round robin'
/** On new connections naive round robin must exceed this multiple of the ideal. Otherwise the requests did not queue. */
export const NAIVE_LEAST = 3

/** Starting a timer costs the ideal nothing. */
function stream(name: string, perSecond: number, blockMs: number, timerMs = 0): WorkStream {
  return { name, path: `/work?ms=${blockMs}${timerMs > 0 ? `&timer=${timerMs}` : ''}`, perSecond, timerMs, blockMs }
}

const WORKERS = 4
const CONNECTIONS = 256

const LOAD = 0.7
/** The share of heavy requests, here and below. */
const HEAVY = 0.1
const [lightMs, heavyMs] = [2, 100]
const perSecond = (LOAD * WORKERS * 1000) / ((1 - HEAVY) * lightMs + HEAVY * heavyMs)
const blocking = [stream('light', (1 - HEAVY) * perSecond, lightMs), stream('heavy', HEAVY * perSecond, heavyMs)]

const io = [stream('light', (1 - HEAVY) * 400, 1, 100), stream('heavy', HEAVY * 400, 50)]

export const queueingScenarios: readonly QueueingScenario[] = [
  { name: 'new-connections', workers: WORKERS, connections: CONNECTIONS, reconnect: true, streams: blocking },
  { name: 'kept-alive', workers: WORKERS, connections: CONNECTIONS, reconnect: false, streams: blocking },
  { name: 'io-mix', workers: WORKERS, connections: CONNECTIONS, reconnect: true, streams: io },
  { name: 'io-mix-kept-alive', workers: WORKERS, connections: CONNECTIONS, reconnect: false, streams: io },
]

/** Of the 99th percentiles. */
export const queueingTargets: readonly Target[] = [
  { scenario: 'new-connections', contender: 'switchyard', against: IDEAL, atMost: 1.15 },
  { scenario: 'kept-alive', contender: 'switchyard', against: IDEAL, atMost: 1.15 },
  { scenario: 'new-connections', contender: 'switchyard', against: NODE_IDEAL, atMost: 1.15 },
  { scenario: 'kept-alive', contender: 'switchyard', against: NODE_IDEAL, atMost: 1.15 },
  { scenario: 'new-connections', contender: 'switchyard', against: ONE_EACH, atMost: 1.03 },
  { scenario: 'kept-alive', contender: 'switchyard', against: ONE_EACH, atMost: 1.03 },
  { scenario: 'io-mix', contender: 'switchyard', against: BEST_OTHER, atMost: 1 },
  { scenario: 'io-mix-kept-alive', contender: 'switchyard', against: BEST_OTHER, atMost: 1 },
]

/** Requests a second, of all kinds. */
export function rateOf({ streams }: QueueingScenario): number {
  return streams.reduce((sum, { perSecond }) => sum + perSecond, 0)
}

/** The requests of a scenario, in words. */
export function scenarioText({ name, workers, connections, reconnect, streams }: QueueingScenario): string {
  const load = streams.reduce((sum, { perSecond, blockMs }) => sum + (perSecond * blockMs) / 1000, 0) / workers
  const kinds = streams.map(
    ({ perSecond, blockMs, timerMs }) => `${perSecond.toFixed(1)}/s of ${timerMs > 0 ? `${timerMs} ms timer + ` : ''}${blockMs} ms`,
  )
  const way = reconnect ? 'a new connection each' : `${connections} kept-alive connections`
  return `${name}: ${kinds.join(', ')}; load ${load.toFixed(2)} of ${workers} workers; ${way}`
}
