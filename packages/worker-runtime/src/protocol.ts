// The start data of a worker, every message between the primary and a worker, and the checks of messages on arrival.

import {
  type ChannelEnds,
  type LoadDetails,
  type LoadReport,
  MAX_COUNTED_ROUTES,
  ROUTE_COLUMNS,
  responseBoundsMs,
} from '@switchyard/handoff'
import { type PolicyData, type RouteMatch, type TicketOptions, VISITOR_KEY_LENGTH } from '@switchyard/routing'
import type { SessionSettings } from '@switchyard/sessions'
import type { AccessLogStart } from './access-frames.ts'
import type { Http2ListenerStart } from './http2-start.ts'
import { isRecord, readAddress, readTlsTicketStart, type ServerAddress, type TlsTicketStart } from './listen-protocol.ts'
import { type MetricFamily, type RouteExemplar, readFamilies, readRouteExemplars } from './metric-messages.ts'
import { readObservations, type WorkerObservations } from './observation-messages.ts'
import { readCommands, type SessionCommand, type SessionReply } from './session-messages.ts'
import { readTlsChange, type TlsChange, type TlsListenerStart } from './tls-start.ts'
import { readUpstreamChange, readUpstreamReport, type UpstreamChange, type UpstreamReport } from './upstream-messages.ts'
import type { UpstreamStart } from './upstream-start.ts'

/** A route as a worker needs it: which pool a request belongs to, whether it stays, and which responses get a ticket. */
export interface WorkerRoute {
  readonly name: string
  readonly match: RouteMatch
  readonly pool: string
  readonly policyName?: string | undefined
  readonly ticket?: TicketOptions | undefined
  /** Cookies of the app that identify visitors on this route. Left out: none. */
  readonly learns?: readonly string[] | undefined
  /** A policy that decides on later requests, as data. `own`: the user's own code, see `WorkerStart.ownPolicies`. Left out: none. */
  readonly policy?: PolicyData | 'own' | undefined
}

/** When idle connections are given back to the primary: when it pays, after every response, or never. */
export type RestMode = 'auto' | 'always' | 'never'

/** Where a worker loads policies that are the user's own code: `loadPolicies(file, variables)` of the module returns them in the order of the routes. */
export interface OwnPolicies {
  readonly module: string
  readonly file: string
  /** Environment variables of the balancer that the file may read and that the worker's own environment lacks. */
  readonly variables: Readonly<Record<string, string>>
}

/** State of a worker's sessions. Counts are since its start. */
export interface SessionReport {
  readonly kind: 'embedded' | 'redis'
  /** `down`: the store did not answer and is not asked for a while. */
  readonly state: 'up' | 'down'
  /** Including failed ones. */
  readonly commands: number
  readonly failed: number
  /** Total duration of the commands. */
  readonly sumMs: number
  /** Entries in the near cache at this moment. */
  readonly nearEntries: number
  /** Reads that the near cache answered, and those that it could not answer. */
  readonly nearHits: number
  readonly nearMisses: number
}

/** The start data of a worker; see start-pipe.ts. */
export interface WorkerStart {
  readonly pool: string
  readonly slot: number
  readonly generation: number
  readonly ends: ChannelEnds
  /** Descriptor of the pipe for `ListenRequest`s. */
  readonly listenPipe: number
  /** The unix socket, in a folder of mode 0700, on which the app's first server really listens. Further servers have sockets beside it. */
  readonly privateSocket: string
  /** The listeners that the config names. Left out: none. */
  readonly listeners?: readonly (ServerAddress & { readonly number: number })[] | undefined
  readonly ticketKeys: readonly { readonly id: number; readonly secret: string }[]
  /** In order. The last is the fallback. */
  readonly routes: readonly WorkerRoute[]
  readonly ownPolicies?: OwnPolicies | undefined
  readonly trustedProxies: readonly string[]
  /** Proves to another worker that a worker forwarded a request. */
  readonly forwardToken: string
  readonly rest: RestMode
  /** Weights of the pool's slots. A slot beyond the list has weight 1. */
  readonly weights: readonly number[]
  /** How long a request on a connection that can't move may wait for a worker. */
  readonly forwardTimeoutMs: number
  /** With tickets, a draining worker reports `drained` only when no request has come for this long. */
  readonly drainReturnMs: number
  /** The signal that stops the app. Left out: SIGINT if the app listens for that alone, else SIGTERM. */
  readonly stopSignal?: NodeJS.Signals | undefined
  /** false: the worker gets no connections, and its servers are not balanced. Left out: true. */
  readonly listens?: boolean | undefined
  /** The process does one piece of work and then ends by itself. */
  readonly isOneOff?: boolean | undefined
  /** The app gets the message 'shutdown' before its stop signal. */
  readonly shutdownMessage?: boolean | undefined
  /** Connections older than about this are moved or ended. 0 or left out: never. */
  readonly maxConnectionAgeMs?: number | undefined
  /** The runtime turns on source maps for the app's stack traces. */
  readonly sourceMaps?: boolean | undefined
  /** A health check that did not reach the primary alone is answered here. Left out: none is. */
  readonly healthPath?: string | undefined
  readonly sessions: SessionSettings
  /** Responses to these addresses say why their worker was chosen; the secret hashes keys. Left out: none. */
  readonly explain?: { readonly to: readonly string[]; readonly secret: string } | undefined
  /** Left out: there is no access log. */
  readonly accessLog?: AccessLogStart | undefined
  /** Collect what the balancer can give advice on. Left out: no. */
  readonly observes?: boolean | undefined
  /** Listeners whose TLS this worker ends for its app. Left out: none. */
  readonly tls?: readonly TlsListenerStart[] | undefined
  /** Listeners whose HTTP/2 this worker ends for its app. Left out: none. */
  readonly http2?: readonly Http2ListenerStart[] | undefined
  /** The worker runs the built-in proxy app for these servers. Left out: it runs an app of the user. */
  readonly upstream?: UpstreamStart | undefined
}

/** Primary to worker. */
export type ToWorker =
  /**
   * Drain: connections move or end, and websockets are closed one by one within `spreadMs`. `last`: no connection comes any more; before that,
   * visitors that only this worker knows still come.
   */
  | { readonly switchyard: 'drain'; readonly last: boolean; readonly spreadMs: number }
  /** Exit, as on the stop signal. */
  | { readonly switchyard: 'leave' }
  /** This worker is the first of its pool, or has to give that place back. */
  | { readonly switchyard: 'first'; readonly isFirst: boolean }
  /** The primary wants the metrics of the app and the process, or wants them no more. */
  | { readonly switchyard: 'metrics'; readonly isWanted: boolean }
  /** Replies of the embedded store to a batch of commands, in order. Long replies come in several messages. */
  | { readonly switchyard: 'session-replies'; readonly batch: number; readonly replies: readonly SessionReply[] }
  /** The keys of TLS session tickets have changed. Only workers with a TLS server get it. */
  | { readonly switchyard: 'tls-tickets'; readonly start: TlsTicketStart }
  /** Other workers have changed these sessions, which this worker has read or written; undefined: any session may have changed. */
  | { readonly switchyard: 'sessions-changed'; readonly ids: readonly string[] | undefined }
  /** New handshakes use these certificates. */
  | ({ readonly switchyard: 'tls' } & TlsChange)
  /** The upstream servers of the pool have changed. Only proxy workers get it. */
  | ({ readonly switchyard: 'upstream' } & UpstreamChange)
  /** Visitors of an upstream server. Only proxy workers get it. */
  | { readonly switchyard: 'visitors'; readonly slot: number; readonly keys: readonly string[] }

/** Worker to primary. */
export type ToPrimary =
  /** The app's server listens and accepts hand-offs. */
  | { readonly switchyard: 'listening'; readonly address: ServerAddress }
  /** The loop of a worker that does not listen has turned for a while after the start of its app. */
  | { readonly switchyard: 'started' }
  /** The app has sent 'ready' over Node's IPC. */
  | { readonly switchyard: 'ready' }
  /** The limit on header bytes of a server's HTTP/1 parser; 0: the server has none. */
  | { readonly switchyard: 'header-limit'; readonly bytes: number }
  | { readonly switchyard: 'report'; readonly load: LoadReport }
  | { readonly switchyard: 'session-report'; readonly report: SessionReport }
  /** What the balancer can give advice on. */
  | { readonly switchyard: 'observed'; readonly observed: WorkerObservations }
  /** What has come since the last message. */
  | { readonly switchyard: 'metrics'; readonly families: readonly MetricFamily[]; readonly exemplars: readonly RouteExemplar[] }
  /** The `visitorKey`s of visitors that got their cookie from this worker, or with `slot` from an upstream server. */
  | { readonly switchyard: 'learned'; readonly keys: readonly string[]; readonly slot?: number | undefined }
  /** TLS session tickets of a connection of this worker belong to `slot`. `firm`: the client has a session there. Names in base64url. */
  | { readonly switchyard: 'tls-tickets'; readonly slot: number; readonly firm: boolean; readonly names: readonly string[] }
  /** What a proxy worker makes of its pool's upstream servers. */
  | { readonly switchyard: 'upstream'; readonly report: UpstreamReport }
  /** A line for the log. `once`: the same message of several workers is logged once. */
  | { readonly switchyard: 'notice'; readonly level: 'info' | 'warn'; readonly message: string; readonly once?: boolean | undefined }
  /** So many lines of the access log could not be written since the last message. */
  | { readonly switchyard: 'access-lost'; readonly lines: number }
  /** No connection remains. Sent after a `drain`, and once more with `last` after the last one. */
  | { readonly switchyard: 'drained'; readonly last: boolean }
  /** The app wants to know whether this worker is the first of its pool. */
  | { readonly switchyard: 'first-wanted' }
  /** It is no longer the first. */
  | { readonly switchyard: 'first-released' }
  /** Commands for the embedded store; undefined stands for an invalid one. `hears`: report later changes to these sessions. */
  | {
      readonly switchyard: 'sessions'
      readonly batch: number
      readonly hears: boolean
      readonly commands: readonly (SessionCommand | undefined)[]
    }

const MAX_NOTICE = 2000
/** Visitor keys of one response. */
const MAX_LEARNED = 64
/** Tickets of one connection: those that it presents, and two that it gets. */
const MAX_TICKETS = 10
const MAX_SLOT = 2 ** 16 - 2
/** 16 bytes in base64url. */
const TICKET_NAME = /^[\w-]{22}$/
const VISITOR_KEY = new RegExp(`^[\\w-]{${VISITOR_KEY_LENGTH}}$`)

/** A valid message from a worker, else undefined. Workers are not trusted, and an app may send messages of its own. */
export function readFromWorker(message: unknown): ToPrimary | undefined {
  if (!isRecord(message)) return undefined
  switch (message.switchyard) {
    case 'drained':
      return { switchyard: 'drained', last: message.last === true }
    case 'first-wanted':
    case 'first-released':
      return { switchyard: message.switchyard }
    case 'listening':
      return isRecord(message.address) ? { switchyard: 'listening', address: readAddress(message.address) } : undefined
    case 'started':
      return { switchyard: 'started' }
    case 'header-limit':
      return { switchyard: 'header-limit', bytes: new Checked().count(message.bytes) }
    case 'learned':
      return { switchyard: 'learned', keys: readTexts(message.keys, MAX_LEARNED, VISITOR_KEY), slot: readSlot(message.slot) }
    case 'tls-tickets': {
      const { slot, firm, names } = message
      const known = readSlot(slot)
      if (known === undefined) return undefined
      return { switchyard: 'tls-tickets', slot: known, firm: firm === true, names: readTexts(names, MAX_TICKETS, TICKET_NAME) }
    }
    case 'notice':
      if (typeof message.message !== 'string') return undefined
      return {
        switchyard: 'notice',
        level: message.level === 'warn' ? 'warn' : 'info',
        message: message.message.slice(0, MAX_NOTICE),
        once: message.once === true,
      }
    case 'upstream': {
      const report = readUpstreamReport(message.report)
      return report && { switchyard: 'upstream', report }
    }
    case 'access-lost':
      return { switchyard: 'access-lost', lines: new Checked().count(message.lines) }
    case 'sessions': {
      const { batch, hears, commands } = message
      if (!Number.isSafeInteger(batch) || !Array.isArray(commands)) return undefined
      return { switchyard: 'sessions', batch: batch as number, hears: hears === true, commands: readCommands(commands) }
    }
    case 'session-report':
      return isRecord(message.report) ? { switchyard: 'session-report', report: readSessionReport(message.report) } : undefined
    case 'observed':
      return { switchyard: 'observed', observed: readObservations(message.observed) }
    case 'metrics':
      return { switchyard: 'metrics', families: readFamilies(message.families), exemplars: readRouteExemplars(message.exemplars) }
    case 'report':
      return isRecord(message.load) ? { switchyard: 'report', load: readLoad(message.load) } : undefined
    default:
      return undefined
  }
}

/** A valid message from the primary, else undefined. */
export function readFromPrimary(message: unknown): ToWorker | undefined {
  if (!isRecord(message)) return undefined
  switch (message.switchyard) {
    case 'drain':
      return { switchyard: 'drain', last: message.last === true, spreadMs: new Checked().amount(message.spreadMs) }
    case 'leave':
      return { switchyard: 'leave' }
    case 'metrics':
      return { switchyard: 'metrics', isWanted: message.isWanted === true }
    case 'first':
      return { switchyard: 'first', isFirst: message.isFirst === true }
    case 'upstream': {
      const change = readUpstreamChange(message)
      return change && { switchyard: 'upstream', ...change }
    }
    case 'visitors': {
      const { slot, keys } = message
      return typeof slot === 'number' && Array.isArray(keys) ? { switchyard: 'visitors', slot, keys } : undefined
    }
    case 'tls': {
      const change = readTlsChange(message)
      return change && { switchyard: 'tls', ...change }
    }
    case 'tls-tickets': {
      const start = readTlsTicketStart(message.start)
      return start && { switchyard: 'tls-tickets', start }
    }
    case 'session-replies': {
      const { batch, replies } = message
      if (!Number.isSafeInteger(batch) || !Array.isArray(replies)) return undefined
      return { switchyard: 'session-replies', batch: batch as number, replies }
    }
    case 'sessions-changed': {
      const { ids } = message
      // An invalid list may mean any session.
      const isList = Array.isArray(ids) && ids.every((id) => typeof id === 'string')
      return { switchyard: 'sessions-changed', ids: isList ? ids : undefined }
    }
    default:
      return undefined
  }
}

function readSlot(from: unknown): number | undefined {
  return Number.isInteger(from) && (from as number) >= 0 && (from as number) <= MAX_SLOT ? (from as number) : undefined
}

/** The first `most` of a list that have this form. */
function readTexts(from: unknown, most: number, form: RegExp): string[] {
  if (!Array.isArray(from)) return []
  return from.slice(0, most).filter((text: unknown): text is string => typeof text === 'string' && form.test(text))
}

function readLoad(from: Record<string, unknown>): LoadReport {
  const checked = new Checked()
  const load = {
    inFlight: checked.count(from.inFlight),
    connections: checked.count(from.connections),
    received: checked.count(from.received),
    begun: checked.count(from.begun),
    failed: checked.count(from.failed),
    loopLagMs: checked.amount(from.loopLagMs),
    utilisation: Math.min(1, checked.amount(from.utilisation)),
    latencyMs: checked.amount(from.latencyMs),
    memoryBytes: checked.amount(from.memoryBytes),
  }
  const details = from.details === undefined ? undefined : readDetails(from.details, checked)
  const { routes } = from
  const packed = Array.isArray(routes)
    ? routes.slice(0, MAX_COUNTED_ROUTES * ROUTE_COLUMNS).map((value) => checked.amount(value))
    : undefined
  return { ...load, details, ...(packed !== undefined && { routes: packed }), faults: checked.faults }
}

function readSessionReport(from: Record<string, unknown>): SessionReport {
  const checked = new Checked()
  return {
    kind: from.kind === 'redis' ? 'redis' : 'embedded',
    state: from.state === 'down' ? 'down' : 'up',
    commands: checked.count(from.commands),
    failed: checked.count(from.failed),
    sumMs: checked.amount(from.sumMs),
    nearEntries: checked.count(from.nearEntries),
    nearHits: checked.count(from.nearHits),
    nearMisses: checked.count(from.nearMisses),
  }
}

function readDetails(from: unknown, checked: Checked): LoadDetails | undefined {
  const { heapUsedBytes, heapLimitBytes, loopDelay, responses } = recordOf(from)
  const { p50Ms, p99Ms, maxMs } = recordOf(loopDelay)
  const { counts, sumMs } = recordOf(responses)
  if (!Array.isArray(counts) || counts.length !== responseBoundsMs.length + 1) {
    checked.faults++
    return undefined
  }
  return {
    heapUsedBytes: checked.amount(heapUsedBytes),
    heapLimitBytes: checked.amount(heapLimitBytes),
    loopDelay: { p50Ms: checked.amount(p50Ms), p99Ms: checked.amount(p99Ms), maxMs: checked.amount(maxMs) },
    responses: { counts: Array.from(counts, (count) => checked.count(count)), sumMs: checked.amount(sumMs) },
  }
}

/** Checks numbers from a worker: an impossible value becomes 0 and is counted. */
class Checked {
  faults = 0

  amount(value: unknown): number {
    if (typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER) return value
    this.faults++
    return 0
  }

  count(value: unknown): number {
    return Math.floor(this.amount(value))
  }
}

function recordOf(value: unknown): Record<string, unknown> {
  return isRecord(value) ? value : {}
}
