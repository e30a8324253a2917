// Bounds what a client may send beyond its requests: SETTINGS, PING, PRIORITY, WINDOW_UPDATE, empty frames, padding. Node reads all of that without telling, so
// it is what is left of the bytes of a connection when heads and bodies are taken off. A token bucket.

/** Bodies that Node has read and the app has not. */
const BURST_BYTES = 2 ** 20
/** Generous for a compressed head. Requests are bounded as requests. */
const HEAD_BYTES = 8192
/** A frame's head, and the most padding. */
const CHUNK_BYTES = 9 + 256
/** A client may send two WINDOW_UPDATEs for 64 bytes of a response, which is far more than clients do. */
const BYTES_PER_WRITTEN = 26 / 64

/** Of a connection, from its begin. */
export interface ConnectionBytes {
  readonly read: number
  readonly written: number
  readonly streams: number
  /** Of the bodies of requests, and the pieces in which they came. */
  readonly body: number
  readonly chunks: number
}

export class ControlBytes {
  private readonly perSecond: number
  private excess = 0
  private before = 0
  private atMs: number

  constructor(perSecond: number, nowMs: number) {
    this.perSecond = perSecond
    this.atMs = nowMs
  }

  /** Has the client sent too much? */
  isTooHigh({ read, written, streams, body, chunks }: ConnectionBytes, nowMs: number): boolean {
    const total = read - body - chunks * CHUNK_BYTES - streams * HEAD_BYTES - written * BYTES_PER_WRITTEN
    this.excess = Math.max(0, this.excess + total - this.before - ((nowMs - this.atMs) * this.perSecond) / 1000)
    this.before = total
    this.atMs = nowMs
    return this.excess > BURST_BYTES
  }
}
