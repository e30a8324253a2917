// Reads a stream without letting one writer fill a whole turn of the event loop.

import type { Readable } from 'node:stream'

/** What libuv reads at a time: so much at once means that there is more. */
const FULL_BYTES = 65536

/** Calls back for each piece that comes. A writer that is never done gets one full piece in each turn of the loop, as every other does. */
export function readFairly(stream: Readable, read: (bytes: Buffer) => void): void {
  stream.on('data', (bytes: Buffer) => {
    read(bytes)
    if (bytes.length < FULL_BYTES) return
    stream.pause()
    setImmediate(() => stream.resume())
  })
}
