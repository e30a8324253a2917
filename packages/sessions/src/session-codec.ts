// How the value of a session becomes the text that a store keeps.

import { SessionValueError } from './session-store.ts'

/** `decode` gives what `encode` was given, or throws. */
export interface SessionCodec<Value> {
  encode(value: Value): string
  decode(text: string): Value
}

export const jsonCodec: SessionCodec<unknown> = { encode: (value) => JSON.stringify(value), decode: (text) => JSON.parse(text) }

/** The most bytes of UTF-8 that a UTF-16 unit becomes. */
const MAX_UNIT_BYTES = 3

/** Writes a value down. Throws SessionValueError when that can't be done, or there is more than `maxBytes` of it. */
export function writeValue<Value>(value: Value, codec: SessionCodec<Value>, maxBytes: number): string {
  let text: unknown
  try {
    text = codec.encode(value)
  } catch (cause) {
    throw new SessionValueError(`the session can't be written as a text: ${messageOf(cause)}`, { cause })
  }
  if (typeof text !== 'string') throw new SessionValueError("the session can't be written as a text: its codec gives none")
  if (isLarger(text, maxBytes)) throw new SessionValueError(`the session has ${Buffer.byteLength(text)} bytes, and ${maxBytes} are allowed`)
  return text
}

/** Reads what is kept. Throws SessionValueError when it is nothing that the codec has written. */
export function readValue<Value>(text: string, codec: SessionCodec<Value>): Value {
  try {
    return codec.decode(text)
  } catch (cause) {
    throw new SessionValueError(`what is kept of the session can't be read: ${messageOf(cause)}`, { cause })
  }
}

/** Has a text more than so many bytes in UTF-8? Most are too short for that to be counted. */
export function isLarger(text: string, maxBytes: number): boolean {
  return text.length * MAX_UNIT_BYTES > maxBytes && Buffer.byteLength(text) > maxBytes
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}
