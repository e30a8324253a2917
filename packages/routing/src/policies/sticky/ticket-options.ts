// How tickets travel: the cookie and query parameter that carry them. Plain data, so that the worker runtime can be told.

/** Options of the cookie in which a ticket travels, and of the query parameter in which a session id with a ticket may. */
export interface TicketOptions {
  /** Name of the cookie. Default `switchyard-<pool>`. */
  readonly cookie?: string
  /** Query parameter that carries session ids with tickets. Default `sid`, which is socket.io's. */
  readonly query?: string
  /** How long a ticket is good. Default 24 hours. */
  readonly maxAgeMs?: number
  /** Default `Lax`. */
  readonly sameSite?: 'Lax' | 'Strict' | 'None'
  /** `auto`: when the request came over TLS. Default `auto`. */
  readonly secure?: boolean | 'auto'
  /** Default `/`. */
  readonly path?: string
}

/** The options with every default filled in for one pool. */
export function ticketSettings(options: TicketOptions, pool: string): Required<TicketOptions> {
  return {
    // A cookie's name is a token (RFC 6265 §4.1.1).
    cookie: options.cookie ?? `switchyard-${pool.replace(/[^\w-]/g, '-')}`,
    query: options.query ?? 'sid',
    maxAgeMs: options.maxAgeMs ?? 24 * 60 * 60 * 1000,
    sameSite: options.sameSite ?? 'Lax',
    secure: options.secure ?? 'auto',
    path: options.path ?? '/',
  }
}
