// What a worker sends back to the primary: a connection whose next request belongs elsewhere, or, where the connection can't move, the question
// who should have this one request. And what the primary answers.

/** Why a request does not stay with its worker, by number; `rest`: there is none now, the connection is idle. */
export const giveBackReasons = ['pool', 'sticky', 'rest'] as const
export type GiveBackReason = (typeof giveBackReasons)[number]

/** Why a connection can't move with its request, by number; `channel`: no connection can, see `Outbox.movesConnections`. */
export const forwardReasons = ['pipelined', 'head', 'writing', 'tls', 'descriptors', 'channel'] as const
export type ForwardReason = (typeof forwardReasons)[number]

/** What a connection carries that goes to rest: for how many ms; 0 for as long as it likes. */
export function packRest(timeoutMs: number): Buffer {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeUInt32LE(Math.min(Math.max(0, Math.ceil(timeoutMs)), 2 ** 31 - 1))
  return bytes
}

/** The reverse; undefined: for as long as it likes. */
export function unpackRest(carried: Buffer | undefined): number | undefined {
  return carried === undefined || carried.length < 4 ? undefined : carried.readUInt32LE() || undefined
}

/** Who should have a request that can't move. The head is as its client sent it, or in canonical form. */
export interface Question {
  /** Not 0; the asker's own. */
  readonly id: number
  readonly reason: number
  /** The process that died on it, by id; 0: none. */
  readonly avoid: number
  /** The listener that accepted its connection. */
  readonly listener: number
  /** Address of the client; empty for a unix socket. */
  readonly address: string
  readonly head: Buffer
}

/** The id of a process, or `HERE`, `LATER`, `NOBODY`. */
export type Verdict = number
/** The asker itself should serve it. */
export const HERE = 0
/** Nobody is free now: ask again soon. */
export const LATER = -1
/** No worker is there, and none is coming up. */
export const NO_WORKER = -2

const LINE_END = 0x0a

/** The bytes of a question: the listener, a space, the address, a line's end, the head. */
export function packQuestion(listener: number, address: string, head: string): Buffer {
  return Buffer.from(`${listener} ${address}\n${head}`, 'latin1')
}

/** The reverse; a copy. Undefined when it makes no sense. */
export function unpackQuestion(id: number, avoid: number, reason: number, bytes: Buffer): Question | undefined {
  const end = bytes.indexOf(LINE_END)
  if (end === -1) return undefined
  const [number = '', address = ''] = bytes.toString('latin1', 0, end).split(' ')
  const listener = /^\d{1,5}$/.test(number) ? Number(number) : 0
  return { id, avoid, reason, listener, address, head: Buffer.from(bytes.subarray(end + 1)) }
}
