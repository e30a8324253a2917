// Policies and keys as plain data: how a config in JSON writes them, and how the primary sends them to a worker.

export type PolicyName = 'least-busy' | 'least-in-flight' | 'round-robin'

export interface LeastBusyOptions {
  /** Compares latency before requests in flight, for workers of unequal health. Default false. */
  readonly latency?: boolean | undefined
  /** Only with `latency`: workers above this quantile of requests in flight, 0 to 1, are left out, however quick. Default 0.75. */
  readonly hotAt?: number | undefined
}

export interface ClientAddressOptions {
  /** Addresses and CIDRs of trusted proxies, such as `10.0.0.0/8`; `unix` for a peer on a unix socket. Default none. */
  readonly trustedProxies?: readonly string[]
  /** The field that lists the hops. Default `x-forwarded-for`. */
  readonly header?: string
}

/** Options of the cookie that carries a ticket, and of the query parameter that may carry a session id with a ticket. */
export interface TicketOptions {
  /** Name of the cookie. Default `switchyard-<pool>`. */
  readonly cookie?: string
  /** Query parameter that carries session ids with tickets. Default `sid`, which socket.io uses. */
  readonly query?: string
  /** Lifetime of a ticket. Default 24 hours. */
  readonly maxAgeMs?: number
  /** Default `Lax`. */
  readonly sameSite?: 'Lax' | 'Strict' | 'None'
  /** `auto`: when the request came over TLS. Default `auto`. */
  readonly secure?: boolean | 'auto'
  /** Default `/`. */
  readonly path?: string
}

/** A key source as JSON. A `client-address` without trusted proxies takes those of the `DataScope`. */
export type KeyData =
  | 'client-address'
  | { readonly 'client-address': ClientAddressOptions }
  | { readonly cookie: string }
  | { readonly header: string }
  | { readonly query: string }
  | { readonly 'path-segment': number }

/** A sticky policy as JSON: by a signed ticket, by a cookie that the app sets, or by the hash of a key. Defaults are those of `sticky`. */
export interface StickyData {
  readonly sticky: {
    readonly by: 'ticket' | { readonly ticket: TicketOptions } | { readonly learn: string } | KeyData
    /** Of the hash only. */
    readonly seed?: string | undefined
    readonly otherwise?: PolicyData | undefined
    readonly breakAt?: number | undefined
    readonly breakFloor?: number | undefined
  }
}

/** `leastBusy` with options, as JSON. */
export interface LeastBusyData {
  readonly 'least-busy': LeastBusyOptions
}

/** A policy as JSON. */
export type PolicyData = PolicyName | LeastBusyData | StickyData
