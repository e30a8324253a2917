// The seam of a worker's end of its channel: received offers, what goes back, and the load row that the worker writes.

import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { ConnectionInjector } from './node-internals/connection-injector.ts'
import type { ControlPipe } from './pipes/control-pipe.ts'
import type { Verdict } from './returns.ts'

/** A connection that is offered to this worker and not claimed yet. */
export interface Offer {
  readonly tag: number
  /** When the primary offered it, see `monotonicUs`. */
  readonly offeredUs: number
  /** Bytes that were read off the connection before, by the primary or by a worker that gave it back. */
  readonly carried: Buffer | undefined
  /** A copy of the bytes in the kernel, up to 64 KiB. They stay there. */
  peek(): Buffer
  /**
   * Claims the connection and removes `bytes` peeked bytes from the kernel.
   * False: the primary has taken it back, and only `release()` may follow.
   */
  claim(bytes: number): boolean
  /** Gives the connection to a server, see `ConnectionInjector.accept`. `carried`: bytes that its socket reads first. `isHttp2`: see `beginsWithHttp2`. */
  accept(injector: ConnectionInjector, carried?: Buffer, isHttp2?: boolean): Socket | undefined
  /** Its first request starts in the next turn of the loop: until then the loop counts as busy. */
  stayBusy(): void
  /** Closes an offer that could not be claimed and that has no socket. */
  release(): void
}

/** Receives what the primary sends over the channel. */
export interface OfferListener {
  /** The callee owns the offer. */
  onOffer(offer: Offer): void
  onAnswer(id: number, verdict: Verdict): void
}

/** What a worker sends to the primary, in batches: connections that it gives back, and questions. */
export interface Outbox {
  /** false: no connection can be given back; requests are forwarded. */
  readonly movesConnections: boolean
  /**
   * Gives a connection back. `tag`: of the hand-off that brought it. `reason`: by number. `carried`: from `carriedBy` or `packRest`.
   * `response`: the server's response to the request that moves with the connection, if one does.
   * False: it cannot be given back, and nothing has changed.
   */
  giveBack(socket: Socket, tag: number, reason: number, carried: Buffer, response: ServerResponse | undefined): boolean
  /** Connections that are given back and not sent yet. */
  readonly unsent: number
  /** Asks a `Question`. `hello`: default none. */
  ask(id: number, avoid: number, reason: number, listener: number, address: string, head: string, hello?: string): void
  /** Sends connections that are given back. Call it before the app runs, so that they do not wait for its code. */
  flushReturns(): void
}

/** A worker's end of its channel, not receiving yet. */
export interface WorkerEnd {
  readonly outbox: Outbox
  /** For all other messages, in both directions. */
  readonly control: ControlPipe
  /** Does the primary read the words of the load row in shared memory? false: they are sent to it. */
  readonly sharesWords: boolean
  /** Starts receiving. Returns the load row, in which this worker writes its load and reads the ready slots. Keeps no process alive. */
  receive(listener: OfferListener): Int32Array
  /** Does the kept limit allow as many idle connections as the worker has? */
  keepsConnections(): boolean
  /** Changes that the primary has sent since the worker's start, including those on their way; undefined: unknown. */
  sentChanges(): number | undefined
  /** A request starts on an idle loop. Offers count by themselves. */
  loopIsBusy(): void
  /** The last request of the turn is answered. The loop may take the next hand-off at once. */
  loopIsFree(): void
}
