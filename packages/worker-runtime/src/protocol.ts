// Every message between the primary and a worker, one sentence each, and the checks that each side makes on arrival.

import { type ChannelEnds, type LoadDetails, type LoadReport, responseBoundsMs } from '@switchyard/handoff'
import { type PolicyData, type RouteMatch, type TicketOptions, VISITOR_KEY_LENGTH } from '@switchyard/routing'
import type { SessionSettings } from '@switchyard/sessions'
import { readCommands, type SessionCommand, type SessionReply } from './session-adapters/session-messages.ts'

/** An address as an app asks for it or the primary has it. */
export interface ServerAddress {
  readonly host?: string | undefined
  readonly port?: number | undefined
  readonly path?: string | undefined
}

/** What clients say first to a server: the head of a request, the hello of TLS, or anything, or nothing. */
export type ServerKind = 'http' | 'tls' | 'net'

/** Worker to primary over the pipe for that. The worker's loop stands still until it has the answer. */
export type ListenRequest =
  /** A server of the app listens. `id`: the worker's own name for it. */
  | ({
      readonly ask: 'listen'
      readonly id: number
      readonly kind: ServerKind
      readonly ipv6Only: boolean
      readonly reusePort: boolean
      readonly backlog: number | undefined
      /** Of the file of a unix socket, by the worker's umask. */
      readonly mode: number
    } & ServerAddress)
  /** A server listens by itself: a line for the log. */
  | ({ readonly ask: 'own'; readonly id: number; readonly why: 'exclusive' | 'fd' | 'handle' } & ServerAddress)
  /** That server has closed. */
  | { readonly ask: 'close'; readonly id: number }
  /** The file of its unix socket gets this mode. */
  | { readonly ask: 'chmod'; readonly id: number; readonly mode: number }

/** A server that got a listener. */
export interface ListenPlace {
  readonly listener: number
  readonly address: ServerAddress
  /** It also serves what comes by listeners that no server of this worker has asked for. */
  readonly isMain: boolean
  /** The config names other addresses than this server asked for, and it serves those while no other server does. */
  readonly standsIn: boolean
}

/** Primary to worker. `errno`: why not, as the system's error number; 0: done. */
export type ListenAnswer =
  /** `moved`: a server that stood in, and what it has now. */
  | (ListenPlace & { readonly moved?: (ListenPlace & { readonly id: number }) | undefined })
  /** It is not balanced: the kernel shares its socket between the workers. */
  | { readonly shared: true }
  | { readonly errno: number; readonly host?: string | undefined }

/** A route as a worker needs it: where a request belongs, whether it stays, and which responses get a ticket. */
export interface WorkerRoute {
  readonly name: string
  readonly match: RouteMatch
  readonly pool: string
  readonly ticket?: TicketOptions | undefined
  /** Cookies that the app sets and that it goes by. Left out: none. */
  readonly learns?: readonly string[] | undefined
  /** A policy that has an opinion on later requests, as data. `own`: it is the user's own code, see `WorkerStart.ownPolicies`. Left out: none. */
  readonly policy?: PolicyData | 'own' | undefined
}

/** When idle connections go back to the primary: when it pays, after every response, or never. */
export type RestMode = 'auto' | 'always' | 'never'

/** How a worker gets policies that are the user's own code: the module exports `loadPolicies(file, variables)`, which gives them in the order of the routes. */
export interface OwnPolicies {
  readonly module: string
  readonly file: string
  /** Environment variables of the balancer that the file may read, and that the worker's own environment has not. */
  readonly variables: Readonly<Record<string, string>>
}

/** How it is with the sessions of a worker; all counts are since its start. */
export interface SessionReport {
  readonly kind: 'embedded' | 'redis'
  /** `down`: the store is not asked for a while, since it did not answer. */
  readonly state: 'up' | 'down'
  /** Those that failed are among them. */
  readonly commands: number
  readonly failed: number
  /** What they took together. */
  readonly sumMs: number
  /** What the worker keeps of what it has read, at this moment. */
  readonly nearEntries: number
  /** Reads that this has answered, and those that it could not. */
  readonly nearHits: number
  readonly nearMisses: number
}

/** What a worker is told at its start; see start-pipe.ts for how. */
export interface WorkerStart {
  readonly pool: string
  readonly slot: number
  readonly generation: number
  readonly ends: ChannelEnds
  /** Descriptor of the pipe over which this worker asks the primary to listen. */
  readonly listenPipe: number
  /** The unix socket, in a folder of mode 0700, on which the app's first server really listens; further ones have names beside it. */
  readonly privateSocket: string
  readonly ticketKeys: readonly { readonly id: number; readonly secret: string }[]
  /** In order; the last is taken when no other matches. */
  readonly routes: readonly WorkerRoute[]
  readonly ownPolicies?: OwnPolicies | undefined
  readonly trustedProxies: readonly string[]
  /** Proves to another worker that a request was forwarded by one of us. */
  readonly forwardToken: string
  readonly rest: RestMode
  /** Of the pool's seats, by slot; a slot beyond the list has 1. */
  readonly weights: readonly number[]
  /** How long a request that can't move may wait for a worker. */
  readonly forwardTimeoutMs: number
  /** Where routes of the pool give tickets: how long nobody may have come before a drained worker says so. */
  readonly drainReturnMs: number
  /** What the app is sent when it is to end; left out: what it listens for. */
  readonly stopSignal?: NodeJS.Signals | undefined
  /** Connections older than about this are let go; 0 or left out: none is. */
  readonly maxConnectionAgeMs?: number | undefined
  readonly sessions: SessionSettings
}

/** Primary to worker. */
export type ToWorker =
  /**
   * Let go of what you have: connections move or end, websockets are closed one by one within `spreadMs`. `last`: nothing more will come; before that
   * those whom only you know may still come to you.
   */
  | { readonly switchyard: 'drain'; readonly last: boolean; readonly spreadMs: number }
  /** Nothing is left for you here: end, as on the stop signal. */
  | { readonly switchyard: 'leave' }
  /** What the embedded store says to the commands of a batch, in order; a batch with much to say is answered in parts. */
  | { readonly switchyard: 'session-replies'; readonly batch: number; readonly replies: readonly SessionReply[] }
  /** Others have changed these sessions, which you had read or written; undefined: it may be any. */
  | { readonly switchyard: 'sessions-changed'; readonly ids: readonly string[] | undefined }

/** Worker to primary. */
export type ToPrimary =
  /** The app's server listens and can be handed connections. */
  | { readonly switchyard: 'listening'; readonly address: ServerAddress }
  /** So many bytes of header fields the parser of a server takes; 0: it has none of HTTP/1. */
  | { readonly switchyard: 'header-limit'; readonly bytes: number }
  /** The worker's load. */
  | { readonly switchyard: 'report'; readonly load: LoadReport }
  /** How it is with its sessions. */
  | { readonly switchyard: 'session-report'; readonly report: SessionReport }
  /** These visitors have got their cookie here: `visitorKey` of each. */
  | { readonly switchyard: 'learned'; readonly keys: readonly string[] }
  /** A sentence for the log. `once`: of several workers that say the same, the log has the first only. */
  | { readonly switchyard: 'notice'; readonly level: 'info' | 'warn'; readonly message: string; readonly once?: boolean | undefined }
  /** No connection is left; said after a `drain`, and once more, with `last`, after the last one. */
  | { readonly switchyard: 'drained'; readonly last: boolean }
  /** Commands for the embedded store; undefined stands for what makes no sense. `hears`: tell me when others change what these read or write. */
  | {
      readonly switchyard: 'sessions'
      readonly batch: number
      readonly hears: boolean
      readonly commands: readonly (SessionCommand | undefined)[]
    }

const MAX_NOTICE = 2000
const MAX_BACKLOG = 2 ** 31 - 1
/** Of one response. */
const MAX_LEARNED = 64
const VISITOR_KEY = new RegExp(`^[\\w-]{${VISITOR_KEY_LENGTH}}$`)

/** A message from a worker if it is one of ours and makes sense, else undefined: a worker may lie, and an app may send messages of its own. */
export function readFromWorker(message: unknown): ToPrimary | undefined {
  if (!isRecord(message)) return undefined
  switch (message.switchyard) {
    case 'drained':
      return { switchyard: 'drained', last: message.last === true }
    case 'listening':
      return isRecord(message.address) ? { switchyard: 'listening', address: readAddress(message.address) } : undefined
    case 'header-limit':
      return { switchyard: 'header-limit', bytes: new Checked().count(message.bytes) }
    case 'learned':
      return { switchyard: 'learned', keys: readKeys(message.keys) }
    case 'notice':
      if (typeof message.message !== 'string') return undefined
      return {
        switchyard: 'notice',
        level: message.level === 'warn' ? 'warn' : 'info',
        message: message.message.slice(0, MAX_NOTICE),
        once: message.once === true,
      }
    case 'sessions': {
      const { batch, hears, commands } = message
      if (!Number.isSafeInteger(batch) || !Array.isArray(commands)) return undefined
      return { switchyard: 'sessions', batch: batch as number, hears: hears === true, commands: readCommands(commands) }
    }
    case 'session-report':
      return isRecord(message.report) ? { switchyard: 'session-report', report: readSessionReport(message.report) } : undefined
    case 'report':
      return isRecord(message.load) ? { switchyard: 'report', load: readLoad(message.load) } : undefined
    default:
      return undefined
  }
}

/** A message from the primary, else undefined. */
export function readFromPrimary(message: unknown): ToWorker | undefined {
  if (!isRecord(message)) return undefined
  switch (message.switchyard) {
    case 'drain':
      return { switchyard: 'drain', last: message.last === true, spreadMs: new Checked().amount(message.spreadMs) }
    case 'leave':
      return { switchyard: 'leave' }
    case 'session-replies': {
      const { batch, replies } = message
      if (!Number.isSafeInteger(batch) || !Array.isArray(replies)) return undefined
      return { switchyard: 'session-replies', batch: batch as number, replies }
    }
    case 'sessions-changed': {
      const { ids } = message
      // Of what is not understood anything may be true.
      const isList = Array.isArray(ids) && ids.every((id) => typeof id === 'string')
      return { switchyard: 'sessions-changed', ids: isList ? ids : undefined }
    }
    default:
      return undefined
  }
}

/** What a worker asks, if it makes sense. */
export function readListenRequest(from: unknown): ListenRequest | undefined {
  if (!isRecord(from) || !Number.isSafeInteger(from.id)) return undefined
  const id = from.id as number
  if (from.ask === 'close') return { ask: 'close', id }
  if (from.ask === 'chmod') return { ask: 'chmod', id, mode: readMode(from.mode) }
  const address = readAddress(from)
  if (from.ask === 'own') return { ask: 'own', id, why: from.why === 'fd' || from.why === 'handle' ? from.why : 'exclusive', ...address }
  if (from.ask !== 'listen') return undefined
  if ((address.path === undefined) === (address.port === undefined)) return undefined
  return {
    ask: 'listen',
    id,
    kind: from.kind === 'http' || from.kind === 'tls' ? from.kind : 'net',
    ...address,
    ipv6Only: from.ipv6Only === true,
    reusePort: from.reusePort === true,
    mode: readMode(from.mode),
    backlog: Number.isSafeInteger(from.backlog) && (from.backlog as number) > 0 ? Math.min(from.backlog as number, MAX_BACKLOG) : undefined,
  }
}

/** Rights alone: a socket needs no other bits. */
function readMode(from: unknown): number {
  return Number(from) & 0o777
}

function readAddress(from: Record<string, unknown>): ServerAddress {
  return {
    host: typeof from.host === 'string' ? from.host : undefined,
    port: Number.isInteger(from.port) && (from.port as number) >= 0 && (from.port as number) <= 65535 ? (from.port as number) : undefined,
    path: typeof from.path === 'string' && from.path !== '' ? from.path : undefined,
  }
}

function readKeys(from: unknown): string[] {
  if (!Array.isArray(from)) return []
  return from.slice(0, MAX_LEARNED).filter((key: unknown): key is string => typeof key === 'string' && VISITOR_KEY.test(key))
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
  return { ...load, details, faults: checked.faults }
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

/** Numbers of a worker: nonsense is worth nothing, and is counted. */
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

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
