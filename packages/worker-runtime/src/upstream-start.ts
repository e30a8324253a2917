// What a proxy worker is told of its pool's upstream servers: the part of the start data that the built-in proxy app reads.

import type { PolicyData, SlowStart } from '@switchyard/routing'

/** One upstream server as the config names it. */
export interface UpstreamAddress {
  readonly protocol: 'http' | 'https'
  /** As the config has it, for logs and metrics. */
  readonly name: string
  /** Name or address without brackets; undefined for a unix socket. */
  readonly host: string | undefined
  readonly port: number | undefined
  /** Path of a unix socket. */
  readonly path: string | undefined
}

/** A candidate of an upstream pool. A name with several addresses is a candidate for each of them. */
export interface UpstreamTarget extends UpstreamAddress {
  readonly slot: number
  /** Grows when the slot gets another address. */
  readonly generation: number
  /** What the name stands for at present; undefined: each connection looks it up. */
  readonly address: string | undefined
  readonly weight: number
  /** It was taken out of service, and gets no requests. */
  readonly isHeld: boolean
}

/** Requests by which each proxy worker finds out whether a server serves. */
export interface UpstreamProbe {
  readonly path: string
  /** Statuses of a good answer, both ends included. */
  readonly status: readonly [from: number, to: number]
  readonly intervalMs: number
  readonly timeoutMs: number
  readonly headers: Readonly<Record<string, string>>
  /** Failures in a row after which the server gets no requests. */
  readonly failures: number
}

export interface UpstreamStart {
  readonly servers: readonly UpstreamTarget[]
  /** Of the list of servers, see `UpstreamReport`. */
  readonly version: number
  /** How long a server that was removed or taken out of service may finish its requests. Then they are cut off. */
  readonly drainTimeoutMs: number
  /** The policy of each route of the pool, by the route's number; null for routes of other pools. `own`: code of the user, see `WorkerStart.ownPolicies`. */
  readonly policies: readonly (PolicyData | 'own' | null)[]
  /** Visitors that are known by a cookie of their server's own, see `UpstreamVisitors`. */
  readonly maxVisitors: number
  readonly visitorTtlMs: number
  readonly slowStart: SlowStart | undefined
  /** Which Host the server sees: that of the client, or its own. */
  readonly host: 'keep' | 'upstream'
  /** Removed from the start of paths, such as `/api`. undefined: nothing. */
  readonly stripPrefix: string | undefined
  /** Put in front of paths after that. undefined: nothing. */
  readonly addPrefix: string | undefined
  /** Where prefixes or `host` make it necessary: change Location and Content-Location, and Path and Domain of cookies, to what clients see. */
  readonly rewriteLocations: boolean
  readonly rewriteCookies: boolean
  /** PEM of the authorities of https servers. undefined: those that Node knows. */
  readonly ca: string | undefined
  /** Connections of this worker to one server. */
  readonly maxConnections: number
  /** Requests of this worker that may wait for a connection, and for how long. */
  readonly queueLimit: number
  readonly queueTimeoutMs: number
  readonly connectTimeoutMs: number
  /** Longest silence of a server that owes an answer, or the rest of one. */
  readonly responseTimeoutMs: number
  /** How long a connection without a request is kept. */
  readonly idleTimeoutMs: number
  /** Longest silence of an upgraded connection. */
  readonly tunnelTimeoutMs: number
  /** Each connection begins with a header of the PROXY protocol, version 2, and serves one request. */
  readonly proxyProtocol: boolean
  /** Failures in a row after which a server is ejected. */
  readonly maxFailures: number
  /** Length of the first ejection. Each further one is longer by this much. */
  readonly ejectionMs: number
  readonly probe: UpstreamProbe | undefined
}
