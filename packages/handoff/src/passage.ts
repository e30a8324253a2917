// The seam over which connections go from one primary to another, and back: between an old one that leaves and the new one that it has started.

import type { Connection } from './channel.ts'

/** A connection on its way between two primaries. Its tag names a listener of the sender. */
export interface Passed {
  readonly connection: Connection
  /** It is idle, and may rest for so many milliseconds; undefined: for as long as it likes. Left out: there is a request on it, or will be. */
  readonly rest?: { readonly timeoutMs: number | undefined }
  /** It has been with the receiver before, and there is nobody for it on the other side: it is not to be passed again. */
  readonly isFinal?: boolean
}

/** What a primary hears over a passage. */
export interface PassageListener {
  /** It is the callee's. */
  onPassed(passed: Passed): void
  /** A batch of these is over: the moment to flush. */
  onBatchEnd(): void
}

/** One primary's end. */
export interface Passage {
  /** How many have not left yet: the other side is slow to take them. */
  readonly unsent: number
  /** False: the other side is gone, and the connection is still the caller's. Of one that has left only the other side has a descriptor. */
  pass(passed: Passed): boolean
  /** Hears everything that the other side has sent until now. */
  readAll(): void
  /** `hearOut` first. What has not left is ended. */
  close(): void
}

/** How to make them. */
export interface Passages {
  /** `remote`: the descriptor of the other end, for the stdio of the other process; the caller closes it when that runs. */
  open(listener: PassageListener): { readonly passage: Passage; readonly remote: number }
  /** The other end, in the process that was started with it. */
  join(fd: number, listener: PassageListener): Passage
}
