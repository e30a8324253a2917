// The seam between the primary and one worker, seen from the primary: it hands connections off and receives what the worker gives back.

import type { ProxiedClient } from './proxied-client.ts'
import type { Question, Verdict } from './returns.ts'

/** A connection that the primary owns. */
export interface Connection {
  /** Its descriptor; on the portable transport a number that stands for the connection. */
  readonly fd: number
  /** The word that goes with the hand-off, see tag.ts. */
  readonly tag: number
  /** Bytes that a worker had read before it gave the connection back; later bytes are in the kernel. */
  readonly carried: Buffer | undefined
  /** What a proxy in front said of the client in its PROXY protocol header. Left out: nothing, so the addresses of the connection count. */
  readonly proxied?: ProxiedClient | undefined
}

/**
 * Hands connections off to one worker, and keeps each until the worker has claimed it. It owns the count of hand-offs under way and every
 * descriptor that was offered, until that is claimed or returned by `settle`, `recall` or `takeBack`.
 */
export interface Channel {
  /** Hand-offs that are offered and not claimed. */
  readonly outstanding: number
  /** Hand-offs that the worker has claimed since its start. */
  readonly claimed: number
  /** Is no hand-off under way? */
  readonly isSettled: boolean
  /** May another be offered? The window bounds the hand-offs under way to one worker. */
  readonly hasRoom: boolean
  /**
   * Offers a connection, which is sent with the next `flush()`. False: no room, and the caller still owns the connection.
   * `bound`: no other worker can serve it, so it is never recalled; it comes back only when the worker exits.
   */
  offer(connection: Connection, bound: boolean): boolean
  flush(): void
  /** Closes the copies of claimed connections. Returns those that the worker could not receive: the caller owns them again. */
  settle(): readonly Connection[]
  /** Takes back every connection that the worker has not claimed and now cannot. For a worker that has exited. */
  takeBack(): readonly Connection[]
  /** Takes back at most `most` hand-offs that are not bound and were offered at least `olderThanMs` ago, the oldest first. */
  recall(most: number, olderThanMs: number): readonly Connection[]
  /** Answers a question of the worker. The answer is sent with the next `flush()`. */
  answer(question: Question, verdict: Verdict): void
  /** Reads everything that the worker has sent. For a worker that has exited. */
  readAll(): void
  /** Ends the channel. Call `readAll` and `takeBack` first. */
  close(): void
}

/** Receives what a worker sends over its channel. */
export interface ChannelListener {
  /** The worker gives a connection back, for the reason with that number. The callee owns it. */
  onGivenBack(connection: Connection, reason: number): void
  /** The worker cannot give a connection back and asks which worker should serve one request. */
  onAsked(question: Question): void
  /** The worker's loop has turned: the notice that `LoadRow.requestNotice` requested. */
  onTurned(): void
  /** A batch of these calls is complete: the moment to flush. */
  onBatchEnd(): void
}
