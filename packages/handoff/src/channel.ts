// The seam over which connections move between the primary and one worker. Speaks from the primary's point of view.

import type { Question, Verdict } from './returns.ts'

/** A connection in the primary's hands. */
export interface Connection {
  /** Its descriptor; without the native module a number that the door and the channels know it by. */
  readonly fd: number
  /** The word that goes with the hand-off, see tag.ts. */
  readonly tag: number
  /** What a worker had read off it before it gave it back; everything later is still in the kernel. */
  readonly carried: Buffer | undefined
}

/** Passes connections to one worker, and keeps each until the worker has claimed it. */
export interface Channel {
  /** Hand-offs that the worker has not claimed. */
  readonly outstanding: number
  /** Hand-offs that the worker has claimed, since the start. */
  readonly claimed: number
  /** Is nothing on its way to the worker? */
  readonly isSettled: boolean
  /** May another be offered? The window bounds what waits in front of one worker. */
  readonly hasRoom: boolean
  /**
   * Offers a connection; it leaves with the next `flush()`. False: no room, the connection is still the caller's.
   * `bound`: what it wants is nowhere else, so that only the worker's death brings it back.
   */
  offer(connection: Connection, bound: boolean): boolean
  flush(): void
  /** Lets go of what has been claimed. Returns the connections that the worker could not receive: they are the caller's again. */
  settle(): readonly Connection[]
  /** Takes back all that the worker has not claimed, and now never can. For a worker that is gone. */
  takeBack(): readonly Connection[]
  /** Takes back at most `most` of those that are not bound and have been out for `olderThanMs`, the oldest first. */
  recall(most: number, olderThanMs: number): readonly Connection[]
  /** Answers a question of the worker; the answer leaves with the next `flush()`. */
  answer(question: Question, verdict: Verdict): void
  /** Hears everything that the worker has said. For a worker that is gone. */
  readAll(): void
  /** Ends the channel; `hearOut` and `takeBack` first. */
  close(): void
}

/** What the primary hears over a channel. */
export interface ChannelListener {
  /** The worker gives a connection back: its next request belongs elsewhere. It is the callee's. */
  onGivenBack(connection: Connection, reason: number): void
  /** The worker can't give the connection back and asks who should have this one request. */
  onAsked(question: Question): void
  /** The loop has turned, as `LoadRow.want` asked to be told. */
  onTurned(): void
  /** A batch of these is over: the moment to flush. */
  onBatchEnd(): void
}
