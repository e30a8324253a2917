// The messages of the portable channel: hand-offs over Node's IPC, records over the claim pipe, and frames over the control pipe. Messages
// of a worker are checked on arrival.

import type { Question, Verdict } from '../returns.ts'

/**
 * Node keeps messages with a name that begins with `NODE_` from the app's 'message' listeners and emits them as 'internalMessage', as for
 * node:cluster.
 */
const HAND_OFF = 'NODE_SWITCHYARD'
const MAX_ADDRESS_CHARS = 64
const LOAD_WORDS = 4
const IMPOSSIBLE = -1

/** The message of a hand-off, sent with its handle. */
export interface HandOff {
  readonly cmd: typeof HAND_OFF
  /** Counts the hand-offs of one channel, from 1. */
  readonly number: number
  readonly tag: number
  /** The bytes that the primary has read off the connection, as latin1. */
  readonly carried: string
}

export function handOffOf(number: number, tag: number, carried: Buffer): HandOff {
  return { cmd: HAND_OFF, number, tag, carried: carried.toString('latin1') }
}

/** In the worker: undefined when the message is no hand-off. */
export function readHandOff(message: unknown): HandOff | undefined {
  return (message as { cmd?: unknown } | null)?.cmd === HAND_OFF ? (message as HandOff) : undefined
}

/**
 * In the worker: the number of a hand-off that came without its handle, because this process had no free descriptor. Node sends it again a
 * few times.
 */
export function readLostHandOff(message: unknown): number | undefined {
  const { cmd, msg } = (message ?? {}) as { cmd?: unknown; msg?: unknown }
  return cmd === 'NODE_HANDLE' ? readHandOff(msg)?.number : undefined
}

/** Kinds of a worker's records in the claim pipe. */
export const recordKinds = {
  /** The worker owns the hand-off. Written before the request has any visible effect. */
  claimed: 1,
  /** The loop has turned since the hand-off came. */
  turned: 2,
  /** The loop has turned since the primary asked. */
  turnedWhenAsked: 3,
  /** The hand-off came without a connection. */
  empty: 4,
} as const

/** 32-bit words of a record: kind, number, and four words of the worker's load row. */
export const RECORD_WORDS = 6
export const RECORD_BYTES = RECORD_WORDS * 4

/** The load of a worker at the moment of the record. */
export interface ReportedLoad {
  readonly inFlight: number
  readonly received: number
  readonly connections: number
  readonly latencyUs: number
}

export interface ClaimRecord extends ReportedLoad {
  readonly kind: number
  readonly number: number
}

/** Writes records, each into the same buffer. */
export class RecordWriter {
  readonly bytes = Buffer.alloc(RECORD_BYTES)

  write(kind: number, number: number, { inFlight, received, connections, latencyUs }: ReportedLoad): Buffer {
    for (const [index, word] of [kind, number, inFlight, received, connections, latencyUs].entries())
      this.bytes.writeInt32LE(word | 0, index * 4)
    return this.bytes
  }
}

/** Cuts the bytes of the pipe into records. */
export class RecordReader {
  private rest: Buffer = Buffer.alloc(0)

  read(bytes: Buffer): ClaimRecord[] {
    const records: ClaimRecord[] = []
    const all = this.rest.length === 0 ? bytes : Buffer.concat([this.rest, bytes])
    let at = 0
    for (; at + RECORD_BYTES <= all.length; at += RECORD_BYTES) {
      const word = (index: number) => all.readInt32LE(at + index * 4)
      records.push({ kind: word(0), number: word(1), inFlight: word(2), received: word(3), connections: word(4), latencyUs: word(5) })
    }
    this.rest = Buffer.from(all.subarray(at))
    return records
  }
}

/**
 * Frames of the primary: the ready slots, the kept limit (null: none), the answer to a question, and the request to say when the loop has
 * turned.
 */
export type EndFrame =
  | { readonly slots: readonly number[] }
  | { readonly keep: number | null }
  | { readonly answer: number; readonly verdict: Verdict }
  | { readonly turn: true }

/** In the worker: undefined when the frame is none of these. */
export function readEndFrame(frame: object): EndFrame | undefined {
  return 'slots' in frame || 'keep' in frame || 'answer' in frame || 'turn' in frame ? (frame as EndFrame) : undefined
}

/** The frame of a question. All text is latin1. */
export function questionFrame(
  id: number,
  avoid: number,
  reason: number,
  listener: number,
  address: string,
  head: string,
  hello = '',
): object {
  return { ask: id, avoid, reason, listener, address, head, ...(hello !== '' && { hello }) }
}

/** In the primary: undefined when the frame is no question; 'fault' when it is a malformed one. */
export function readQuestion(frame: object): Question | 'fault' | undefined {
  if (!('ask' in frame)) return undefined
  const { ask, avoid, reason, listener, address, head, hello = '' } = frame as Record<string, unknown>
  if (!isWord(ask) || ask === 0 || !isWord(avoid) || !isWord(reason) || !isWord(listener)) return 'fault'
  if (typeof address !== 'string' || address.length > MAX_ADDRESS_CHARS || typeof head !== 'string') return 'fault'
  if (typeof hello !== 'string') return 'fault'
  return { id: ask, avoid, reason, listener, address, hello, head: Buffer.from(head, 'latin1') }
}

/** A worker's load, sent at once. Not over the claim pipe, which never fills only while hand-offs alone fill it. */
export function loadFrame({ inFlight, received, connections, latencyUs }: ReportedLoad): object {
  return { load: [inFlight, received, connections, latencyUs] }
}

/** In the primary: undefined when the frame is no load. A value that is no word becomes an impossible one. */
export function readLoad(frame: object): ReportedLoad | undefined {
  if (!('load' in frame) || !Array.isArray(frame.load) || frame.load.length !== LOAD_WORDS) return undefined
  const [inFlight, received, connections, latencyUs] = frame.load.map((value) => (isWord(value) ? value : IMPOSSIBLE))
  return { inFlight, received, connections, latencyUs } as ReportedLoad
}

function isWord(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 2 ** 31
}
