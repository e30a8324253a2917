// Encodes the value of a session as the text that a store keeps.

import { SessionValueError } from './session-store.ts'

/** `decode` returns what `encode` was given, or throws. */
export interface SessionCodec<Value> {
  encode(value: Value): string
  decode(text: string): Value
}

export const jsonCodec: SessionCodec<unknown> = { encode: (value) => JSON.stringify(value), decode: (text) => JSON.parse(text) }

/** A UTF-16 unit takes at most so many bytes in UTF-8. */
const MAX_UNIT_BYTES = 3

/** Encodes a value. Throws SessionValueError if the codec fails or the text is larger than `maxBytes`. */
export function writeValue<Value>(value: Value, codec: SessionCodec<Value>, maxBytes: number): string {
  let text: unknown
  try {
    text = codec.encode(value)
  } catch (cause) {
    throw new SessionValueError(`the session can't be encoded: ${messageOf(cause)}`, { cause })
  }
  if (typeof text !== 'string') throw new SessionValueError("the session can't be encoded: its codec returned no string")
  if (isLarger(text, maxBytes)) {
    throw new SessionValueError(`the session has ${Buffer.byteLength(text)} bytes; at most ${maxBytes} are allowed (maxValueBytes)`)
  }
  return text
}

/** Decodes a stored text. Throws SessionValueError if the codec rejects it. */
export function readValue<Value>(text: string, codec: SessionCodec<Value>): Value {
  try {
    return codec.decode(text)
  } catch (cause) {
    throw new SessionValueError(`the stored session can't be decoded: ${messageOf(cause)}`, { cause })
  }
}

/** Is the text larger than `maxBytes` in UTF-8? Most texts are so short that their bytes need not be counted. */
export function isLarger(text: string, maxBytes: number): boolean {
  return text.length * MAX_UNIT_BYTES > maxBytes && Buffer.byteLength(text) > maxBytes
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}
