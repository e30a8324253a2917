// Reads a stream so that one writer cannot occupy a whole turn of the event loop.

import type { Readable } from 'node:stream'

/** The size of one read of libuv: a piece of this size means that more bytes wait. */
const FULL_BYTES = 65536

/** Calls `read` for each piece. A writer that never stops gets one full piece in each turn, as every other does. */
export function readFairly(stream: Readable, read: (bytes: Buffer) => void): void {
  stream.on('data', (bytes: Buffer) => {
    read(bytes)
    if (bytes.length < FULL_BYTES) return
    stream.pause()
    setImmediate(() => stream.resume())
  })
}
