// What a worker sends to the primary: a connection that it gives back, or, when the connection cannot move, a question which worker should
// serve its next request. And the primary's verdict.

/** Bound on the bytes that a worker has read off a connection that it gives back: one read of libuv. */
export const MAX_CARRIED_BYTES = 65536

/** Why a connection is given back, by number: its next request belongs elsewhere, or, with `rest`, it is idle. */
export const giveBackReasons = ['pool', 'sticky', 'rest'] as const
export type GiveBackReason = (typeof giveBackReasons)[number]

/** Why a connection cannot move with its request, by number; `channel`: see `Outbox.movesConnections`; `spread`: the request alone may go to any worker. */
export const forwardReasons = ['pipelined', 'head', 'writing', 'tls', 'descriptors', 'channel', 'http2', 'spread'] as const
export type ForwardReason = (typeof forwardReasons)[number]

/** The carried bytes of a connection that goes to rest: the bound of its rest in ms; 0: none. */
export function packRest(timeoutMs: number): Buffer {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeUInt32LE(Math.min(Math.max(0, Math.ceil(timeoutMs)), 2 ** 31 - 1))
  return bytes
}

/** The reverse of `packRest`; undefined: no bound. */
export function unpackRest(carried: Buffer | undefined): number | undefined {
  return carried === undefined || carried.length < 4 ? undefined : carried.readUInt32LE() || undefined
}

/** Asks for a worker for a request whose connection cannot move. The head is as the client sent it, or in canonical form. */
export interface Question {
  /** Chosen by the asking worker; not 0. */
  readonly id: number
  readonly reason: number
  /** The process that exited while it served this request; 0: none. */
  readonly avoid: number
  /** The listener that accepted its connection. */
  readonly listener: number
  /** The client's address; empty for a unix socket. */
  readonly address: string
  /** The ClientHello around the request, as `helloText`; empty: there is none, or no route asks for it. */
  readonly hello: string
  readonly head: Buffer
}

/** The process id of a worker, or `HERE`, `LATER`, `NO_WORKER`. */
export type Verdict = number
/** The asking worker should serve the request. */
export const HERE = 0
/** No worker is free: ask again soon. */
export const LATER = -1
/** No worker runs, and none is starting. */
export const NO_WORKER = -2

const LINE_END = 0x0a

/** The bytes of a question: the listener, a space, the address, perhaps a space and the hello, LF, the head. */
export function packQuestion(listener: number, address: string, head: string, hello = ''): Buffer {
  return Buffer.from(`${listener} ${address}${hello === '' ? '' : ` ${hello}`}\n${head}`, 'latin1')
}

/** The reverse of `packQuestion`, as a copy; undefined: the bytes are malformed. */
export function unpackQuestion(id: number, avoid: number, reason: number, bytes: Buffer): Question | undefined {
  const end = bytes.indexOf(LINE_END)
  if (end === -1) return undefined
  const [number = '', address = '', ...hello] = bytes.toString('latin1', 0, end).split(' ')
  const listener = /^\d{1,5}$/.test(number) ? Number(number) : 0
  return { id, avoid, reason, listener, address, hello: hello.join(' '), head: Buffer.from(bytes.subarray(end + 1)) }
}
