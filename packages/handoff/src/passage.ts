// The seam over which the old and the new primary of an upgrade pass connections to each other.

import type { Connection } from './channel.ts'

/** A connection on its way between two primaries. Its tag names a listener of the sender. */
export interface Passed {
  readonly connection: Connection
  /** It is idle and may rest for `timeoutMs`; undefined: without a bound. Left out: a request is on it, or is expected. */
  readonly rest?: { readonly timeoutMs: number | undefined }
  /** The sender has no worker for it, and got it from the receiver: it must not be passed again. */
  readonly isFinal?: boolean
  /** The header of the PROXY protocol at its start, where its listener expects one, is not read. */
  readonly expectsProxy?: boolean
}

/** Receives what the other primary passes. */
export interface PassageListener {
  /** The callee owns the connection. */
  onPassed(passed: Passed): void
  /** A batch of these calls is complete: the moment to flush. */
  onBatchEnd(): void
}

/** One primary's end. */
export interface Passage {
  /** Connections that are not sent yet, because the other side reads slowly. */
  readonly unsent: number
  /**
   * False: the other side has exited, and the caller still owns the connection. This process keeps no descriptor of a connection that was
   * sent.
   */
  pass(passed: Passed): boolean
  /** Reads everything that the other side has sent. */
  readAll(): void
  /** Call `readAll` first. Closes connections that are not sent. */
  close(): void
}

/** Opens passages. */
export interface Passages {
  /** `remote`: the other end, for the stdio of the other process. The caller closes it when that process runs. */
  open(listener: PassageListener): { readonly passage: Passage; readonly remote: number }
  /** Opens the other end, in the process that was started with it. */
  join(fd: number, listener: PassageListener): Passage
}
