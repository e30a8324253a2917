// The start data of a worker, and every message between the primary and a worker. message-checks.ts reads them.

import type { ChannelEnds, LoadReport } from '@switchyard/handoff'
import type { PolicyData, RouteMatch, TicketOptions } from '@switchyard/routing'
import type { SessionSettings } from '@switchyard/sessions'
import type { AccessLogStart } from './access-frames.ts'
import type { CutConnections } from './cut-messages.ts'
import type { Http2ListenerStart } from './http2-start.ts'
import type { ServerAddress, TlsTicketStart } from './listen-protocol.ts'
import type { MetricFamily, RouteExemplar } from './metric-messages.ts'
import type { WorkerObservations } from './observation-messages.ts'
import type { SessionCommand, SessionReply } from './session-messages.ts'
import type { TlsChange, TlsListenerStart } from './tls-start.ts'
import type { ServerChoice, UpstreamChange, UpstreamReport } from './upstream-messages.ts'
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
  /** Are streams of HTTP/2 spread over the pool? Left out: as their listener says. */
  readonly spread?: boolean | undefined
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
  /** The primary wants to know of each choice of an upstream server, or no more. */
  | { readonly switchyard: 'choices'; readonly isWanted: boolean }
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
  /** How TLS handshakes ended since the last message, one count for each of `handshakeOutcomes`. */
  | { readonly switchyard: 'handshakes'; readonly counts: readonly number[] }
  /** Connections of HTTP/2 that were cut since the last message. */
  | { readonly switchyard: 'cuts'; readonly cuts: readonly CutConnections[] }
  /** The `visitorKey`s of visitors that got their cookie from this worker, or with `slot` from an upstream server. */
  | { readonly switchyard: 'learned'; readonly keys: readonly string[]; readonly slot?: number | undefined }
  /** TLS session tickets of a connection of this worker belong to `slot`. `firm`: the client has a session there. Names in base64url. */
  | { readonly switchyard: 'tls-tickets'; readonly slot: number; readonly firm: boolean; readonly names: readonly string[] }
  /** Which upstream servers requests were sent to. */
  | { readonly switchyard: 'choices'; readonly choices: readonly ServerChoice[] }
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
