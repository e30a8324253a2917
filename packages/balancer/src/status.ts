// The status of the balancer at one moment, as plain data for the admin page, the control socket and the log. Counts never fall.

import type { ChannelKind, ForwardReason, GiveBackReason, LoadDetails, RequestResult, ResponseTimes } from '@switchyard/handoff'
import type { Load, StickyOutcome } from '@switchyard/routing'
import type { HandshakeOutcome, SessionReport, WorkerObservations } from '@switchyard/worker-runtime'
import type { RefusalReason } from './events.ts'

export type WorkerState = 'starting' | 'ready' | 'draining' | 'gone'

/** One worker process. While a worker is replaced, two processes share a slot. */
export interface WorkerStatus {
  slot: number
  generation: number
  pid: number
  state: WorkerState
  /** Restarts of the slot since the balancer started; the same for every process in the slot. */
  restarts: number
  /** Why the worker will be replaced; null: it will not. */
  retiring: string | null
  /** The worker fails more requests than the others, and gets no connections for a while. */
  ejected: boolean
  /** Is it the first of its pool, for apps that use `onFirst` or `worker.isFirst`? */
  first: boolean
  /** Time in the present state. */
  inStateMs: number
  /** Time until a draining worker is killed; null: it is not draining. */
  drainLeftMs: number | null
  /** For how long the primary has seen no turn of its event loop. It stays below about a second while the process runs. */
  silentMs: number
  load: Load
  /** Hand-offs that this process received. A new process begins at 0. */
  handOffs: number
  /** Requests that this process started. `failed`: those that it answered with 5xx or aborted. */
  begun: number
  failed: number
  /** Reported once a second; null before the first report. */
  details: LoadDetails | null
  /** Its use of the session store; null: its app has not used sessions. */
  sessions: SessionReport | null
  /** What advice can be given on, such as requests that block its event loop; null: it has seen nothing of the kind. */
  observed: WorkerObservations | null
}

/** An upstream server of a pool. Counts are those of the proxy workers that run now. */
export interface UpstreamServerStatus {
  slot: number
  /** Grows when the slot gets another address. */
  generation: number
  /** As in the config, such as `http://10.0.0.7`. null: it was removed from the list, and its requests end. */
  name: string | null
  /** What its name stands for in DNS; null: it is no name, or was not found yet. */
  address: string | null
  weight: number
  /**
   * `ejected`, `down`: no proxy worker sends it requests, because it has failed them or its probes. `draining`: it was removed or taken out of service and has
   * requests. `held`: it is out of service.
   */
  state: 'ready' | 'ejected' | 'down' | 'draining' | 'held'
  /** Proxy workers that know the server, and those of them that send it requests. */
  proxies: number
  up: number
  inFlight: number
  connections: number
  /** Moving average of the time until an answer begins. */
  latencyMs: number
  requests: number
  failures: number
  /** Reason of its last failure; null: there was none. */
  lastFailure: string | null
}

/** How a one-off process has ended. Times in ms since 1970. */
export interface JobExit {
  startedMs: number
  endedMs: number
  /** null: it was ended by a signal, or was never started. */
  code: number | null
  signal: string | null
  /** Exit code 0 or one of `stopExitCodes`. */
  isGood: boolean
}

/** The one-off processes of a pool with a schedule. Counts are since the start, and go on in an upgrade. */
export interface JobStatus {
  /** The cron expression. */
  schedule: string
  /** null: that of the primary. */
  timeZone: string | null
  /** In ms since 1970; null: its times are over. */
  nextStartMs: number | null
  /** Processes that run now. */
  running: number
  runs: number
  failed: number
  /** Times at which no process was started, since another still ran or the slot was out of service. */
  skipped: number
  /** null: none has ended yet. */
  last: JobExit | null
}

export interface PoolStatus {
  name: string
  /** Do its workers get connections? */
  listens: boolean
  /** null: its workers run all the time. */
  job: JobStatus | null
  /** When `restartAt` reloads it next, in ms since 1970; null: never. */
  restartsAtMs: number | null
  /** Slots whose worker has ended with one of `stopExitCodes`. They stay empty until a restart or a reload. */
  finished: number[]
  /** Workers that take connections. */
  ready: number
  /** The number of workers that the pool should have: from the config, `scale` or `autoscale`. */
  desired: number
  /** The generation that the workers should have. */
  generation: number
  /** Is a reload under way? */
  reloading: boolean
  /** Slots taken out of service by `drain`. They stay empty until a restart. */
  held: number[]
  /** Slots whose workers have failed too often. They stay empty until a restart, a reload, or the end of an outage. */
  broken: number[]
  /** Duration of the outage: every slot is broken, and one slot after the other is tried again. null: no outage. */
  outageMs: number | null
  /** Slots whose last start failed, `times` in a row, because no process could be created. `retryInMs` null: no further try is planned. */
  notStarted: { slot: number; message: string; times: number; retryInMs: number | null }[]
  /** Impossible load values of workers that were ignored. */
  boardFaults: number
  queue: QueueStatus
  /** The servers that its workers are proxies for; null: they run an app. */
  servers: UpstreamServerStatus[] | null
  workers: WorkerStatus[]
}

/** At every moment `accepted + givenBack = handedOff + sum of refused + answered + closed + sum of waiting`. */
export interface ConnectionStatus {
  accepted: number
  /** Given back by a worker because the next request belongs elsewhere, or received from another primary in an upgrade. */
  givenBack: number
  /** Claimed by a worker, or passed to another primary in an upgrade. */
  handedOff: number
  refused: Record<RefusalReason, number>
  /** Health checks that the primary has answered. */
  answered: number
  /** Closed by the client before a worker claimed them. */
  closed: number
  /** Connections in the primary: with an incomplete head, resting, queued for a worker, offered to a worker and not claimed yet. */
  waiting: { head: number; resting: number; queue: number; offered: number }
}

/** Requests that workers have had of a route; counts since the start. */
export interface RouteStatus {
  route: string
  /** Where it leads. null: it is a route of an earlier config. */
  pool: string | null
  inFlight: number
  /** Ended requests, by result. */
  results: Record<RequestResult, number>
  /** Of answered requests, from their head to the end of the response. */
  durations: ResponseTimes
}

/** Connections that wait for a worker of a pool. */
export interface QueueStatus {
  length: number
  /** How long those waited that have left the queue, however they left it. Counts are since the start. */
  waits: ResponseTimes
}

/** Why a worker process has ended. */
export const exitCauses = [
  // By itself: before it was ready, with an exit code, by a signal that the balancer did not send, or with one of `stopExitCodes`.
  ...(['start', 'exit-code', 'signal', 'finished'] as const),
  // The balancer replaced it.
  ...(['memory', 'requests', 'age', 'health', 'hang', 'sockets'] as const),
  // It was told to stop: by `restart`; by a reload; or by `drain`, `scale`, an upgrade or the end of the balancer.
  ...(['restart', 'reload', 'stop'] as const),
] as const

export type ExitCause = (typeof exitCauses)[number]

/** Why worker processes of a pool have ended; counts since the start. */
export interface ExitStatus {
  pool: string
  cause: ExitCause
  count: number
}

/** Operations of one name since the start, such as `reload`. */
export interface OperationStatus {
  name: string
  running: boolean
  succeeded: number
  failed: number
  /** The end of the last one. null: none has ended. */
  last: { endedMs: number; isGood: boolean } | null
}

/** How often requests of a route moved to another worker than the one with their connection, for one reason. */
export interface MoveStatus<Reason extends string> {
  route: string
  reason: Reason
  count: number
}

/**
 * How the worker was chosen. `ahead`: every loop was busy, and the connection went to the one that turns next. `draining`: a ticket names the draining worker.
 * `otherwise`: a forwarded request can't wait, so it went to the worker with the fewest requests in flight. `spread`: a stream of HTTP/2 is spread, so it has the
 * worker with the fewest requests in flight.
 */
export const choiceWays = ['policy', 'ahead', 'draining', 'otherwise', 'spread'] as const
export type ChoiceWay = (typeof choiceWays)[number]

/** How often workers were chosen on one route, in one way. */
export interface ChoiceStatus {
  route: string
  policy: string
  by: ChoiceWay
  count: number
}

/** What sticky policies did for the requests that the primary placed on one route. */
export interface StickyStatus {
  route: string
  outcome: StickyOutcome
  count: number
}

/** TLS handshakes of the workers of one pool since the start, by how they ended. */
export interface HandshakeStatus {
  pool: string
  outcomes: Record<HandshakeOutcome, number>
}

/** Sessions in the memory of the primary. `kept`, `bytes` and `tombstones` are present values; the others count since the start. */
export interface SessionTableStatus {
  kept: number
  /** Total size of the sessions. */
  bytes: number
  /** Sessions that were destroyed a short while ago. */
  tombstones: number
  /** Removed because the table was full. */
  evicted: number
  /** Removed because they were not used. */
  expired: number
  /** Tombstones that were removed too early because the table was full. */
  tombstonesDropped: number
}

/** Visitors known by a cookie of the app's own. `kept` is the present value; the others count since the start. */
export interface VisitorStatus {
  kept: number
  /** Reported by a worker for the first time. */
  learned: number
  /** Moved to another slot: their own had no worker, and another worker set their cookie again. */
  moved: number
  /** Forgotten because the table was full. */
  evicted: number
  /** Forgotten because they sent no request. */
  expired: number
}

/** Lines of the log and of the workers' output that were written to files or to a pipe; counts since the start. */
export interface LogStatus {
  written: number
  /** Lines that could not be written, and are lost. */
  dropped: number
  /** Why lines can't be written at present; null: they can. */
  failure: string | null
}

/** What the owner of the balancer writes. null: the log goes to a terminal, or there is no access log. */
export type LogStatuses = Pick<BalancerStatus, 'log' | 'accessLog'>
/** The event loop of one worker at this moment, for readers that look many times a second. */
export interface LoopReading {
  pool: string
  slot: number
  pid: number
  state: WorkerState
  silentMs: number
  load: Pick<Load, 'busyMs' | 'utilisation'>
}

export interface StatusSource {
  status(): BalancerStatus
}

export interface BalancerStatus {
  /** As bound, such as `127.0.0.1:3000`, `[::]:3000` or `/run/app.sock`. */
  addresses: string[]
  /** Those of them where workers end TLS. */
  tlsAddresses?: readonly string[] | undefined
  /** How connections are handed to workers. */
  channel: ChannelKind
  accepting: boolean
  /** false: a pool with `onOutage: 'not-live'` is in an outage, and `/livez` answers 503. */
  live: boolean
  connections: ConnectionStatus
  handOffs: {
    /** Offers recalled from a worker that died or hung before it claimed them. */
    takenBack: number
  }
  moves: {
    /** Connections given back to the primary with their next request. */
    givenBack: MoveStatus<GiveBackReason>[]
    /** Single requests forwarded because their connection could not move. */
    forwarded: MoveStatus<ForwardReason>[]
  }
  /** The routes of the config come first, in its order. */
  routes: RouteStatus[]
  exits: ExitStatus[]
  /** Of the pools whose workers have made a handshake. */
  handshakes: HandshakeStatus[]
  operations: OperationStatus[]
  /** How often the primary chose a worker, by route and way. */
  choices: ChoiceStatus[]
  /** What sticky policies could do in these choices. */
  sticky: StickyStatus[]
  visitors: VisitorStatus
  /** null: sessions are in Redis. */
  sessions: SessionTableStatus | null
  /** null: the log goes to a terminal, or to a caller of the balancer's interface. */
  log: LogStatus | null
  /** null: there is no access log. `dropped` has lines that workers could not send, too. */
  accessLog: LogStatus | null
  pools: PoolStatus[]
}
