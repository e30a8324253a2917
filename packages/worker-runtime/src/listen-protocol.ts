// The messages by which a worker asks the primary to listen, over a pipe of their own, and the check of a question on arrival.

/** An address as the app requested it, or as the primary bound it. */
export interface ServerAddress {
  readonly host?: string | undefined
  readonly port?: number | undefined
  readonly path?: string | undefined
}

/** What clients send first: the head of a request, the preface of HTTP/2, a TLS hello, or anything or nothing. */
export type ServerKind = (typeof SERVER_KINDS)[number]

const SERVER_KINDS = ['http', 'http2', 'tls', 'net'] as const

/** Worker to primary. The worker's loop blocks until the answer is there. */
export type ListenRequest =
  /** A server of the app listens. `id`: the worker's number for the server. */
  | ({
      readonly ask: 'listen'
      readonly id: number
      readonly kind: ServerKind
      readonly ipv6Only: boolean
      readonly reusePort: boolean
      readonly backlog: number | undefined
      /** Mode of the file of a unix socket, from the worker's umask. */
      readonly mode: number
    } & ServerAddress)
  /** A server listens without the primary; for the log. */
  | ({ readonly ask: 'own'; readonly id: number; readonly why: 'exclusive' | 'fd' | 'handle' } & ServerAddress)
  /** The server has closed. */
  | { readonly ask: 'close'; readonly id: number }
  /** Changes the mode of the file of the server's unix socket. */
  | { readonly ask: 'chmod'; readonly id: number; readonly mode: number }

/** Keys of TLS session tickets, the same for all workers of a pool. */
export interface TlsTicketStart {
  /** Encrypts the names of tickets; base64 of 16 bytes. */
  readonly names: string
  /** Number of the key of new tickets. */
  readonly issuing: number
  /** The last keys, and the next one, so that all workers know it before one of them uses it. Secrets: base64 of 32 bytes. */
  readonly keys: readonly { readonly number: number; readonly secret: string }[]
}

/** The listener that a server got. */
export interface ListenPlace {
  readonly listener: number
  readonly address: ServerAddress
  /** The server also serves listeners that no server of this worker has asked for. */
  readonly isMain: boolean
  /** The config names other addresses than the one requested. The server serves those while no other server does. */
  readonly standsIn: boolean
  /** For a TLS server. Left out: it has none. */
  readonly tlsTickets?: TlsTicketStart | undefined
}

/** Primary to worker. `errno`: the system's error number, or 0 for success. */
export type ListenAnswer =
  /** `moved`: a server that stood in, with its new listener. */
  | (ListenPlace & { readonly moved?: (ListenPlace & { readonly id: number }) | undefined })
  /** The server is not balanced: the workers share its socket in the kernel. */
  | { readonly shared: true }
  | { readonly errno: number; readonly host?: string | undefined }

const MAX_BACKLOG = 2 ** 31 - 1

/** A valid question of a worker, else undefined. */
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
    kind: SERVER_KINDS.find((kind) => kind === from.kind) ?? 'net',
    ...address,
    ipv6Only: from.ipv6Only === true,
    reusePort: from.reusePort === true,
    mode: readMode(from.mode),
    backlog: Number.isSafeInteger(from.backlog) && (from.backlog as number) > 0 ? Math.min(from.backlog as number, MAX_BACKLOG) : undefined,
  }
}

/** Valid keys of tickets, else undefined. */
export function readTlsTicketStart(from: unknown): TlsTicketStart | undefined {
  if (!isRecord(from) || typeof from.names !== 'string' || !Number.isInteger(from.issuing) || !Array.isArray(from.keys)) return undefined
  const isKey = (key: unknown): boolean => isRecord(key) && Number.isInteger(key.number) && typeof key.secret === 'string'
  return from.keys.every(isKey) ? (from as unknown as TlsTicketStart) : undefined
}

/** The permission bits alone. */
function readMode(from: unknown): number {
  return Number(from) & 0o777
}

export function readAddress(from: Record<string, unknown>): ServerAddress {
  return {
    host: typeof from.host === 'string' ? from.host : undefined,
    port: Number.isInteger(from.port) && (from.port as number) >= 0 && (from.port as number) <= 65535 ? (from.port as number) : undefined,
    path: typeof from.path === 'string' && from.path !== '' ? from.path : undefined,
  }
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
