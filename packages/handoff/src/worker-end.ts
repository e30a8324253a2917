// The seam of a worker's end of its channel: what comes in, what goes back, and the memory in which the worker keeps its load.

import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { ConnectionInjector } from './node-internals/connection-injector.ts'
import type { ControlPipe } from './pipes/control-pipe.ts'
import type { Verdict } from './returns.ts'

/** A connection that was offered to this worker and is not claimed yet. */
export interface Offer {
  readonly tag: number
  /** What was read off the connection already, by the primary or by a worker that gave it back. */
  readonly carried: Buffer | undefined
  /** A copy of what the client has sent so far, up to 64 KiB; the bytes stay in the kernel. */
  peek(): Buffer
  /**
   * Claims the connection and takes `bytes` peeked bytes from the kernel.
   * False: the primary has taken it back, and nothing may be done with it but to let go.
   */
  claim(bytes: number): boolean
  /** Gives the connection to a server as Node does (see `Acceptor.accept`). `carried`: what its socket is to read first. */
  accept(injector: ConnectionInjector, carried?: Buffer): Socket | undefined
  /** Its first request comes with the next turn of the loop: until then the loop does not say that it waits. */
  stayBusy(): void
  /** Lets go of a connection that could not be claimed and that no socket was made of. */
  release(): void
}

/** What a worker hears over its channel. */
export interface OfferListener {
  /** Owns the offer. */
  onOffer(offer: Offer): void
  onAnswer(id: number, verdict: Verdict): void
}

/** What a worker sends back to the primary, in batches: connections that leave, and questions. */
export interface Outbox {
  /** false: connections can't leave, their requests are forwarded. */
  readonly movesConnections: boolean
  /**
   * Lets a connection go. `tag`: of the hand-off with which it came. `reason` travels along. `carried`: from `carriedBy`, or `packRest`.
   * `response`: what its server has made for the request that leaves with it, if one does.
   * False: it can't leave, and nothing has happened.
   */
  giveBack(socket: Socket, tag: number, reason: number, carried: Buffer, response: ServerResponse | undefined): boolean
  /** Connections that have left their server and are not with the primary yet. */
  readonly unsent: number
  /** Asks who should have a request whose connection can't move (see `Question`). */
  ask(id: number, avoid: number, reason: number, listener: number, address: string, head: string): void
  /** Nobody who leaves waits for code of the worker that is left: to be called before the app runs. */
  flushReturns(): void
}

/** A worker's end of its channel, not receiving yet. */
export interface WorkerEnd {
  readonly outbox: Outbox
  /** Carries the messages of both sides. */
  readonly control: ControlPipe
  /** Does the primary read the words of the load board itself? false: it knows what it is told. */
  readonly sharesWords: boolean
  /** Starts to receive; gives the words of the load board in which this worker tells its load and is told the seats. Keeps no process alive. */
  receive(listener: OfferListener): Int32Array
  /** Are idle connections kept here, as many as there are now? The primary says so. */
  keepsConnections(): boolean
  /** How many changes the primary has told of since the worker's start, those on their way too; undefined: that can't be seen. */
  sentChanges(): number | undefined
  /** The loop has begun to work: a request begins. What is received says so by itself. */
  loopIsBusy(): void
  /** What the loop was handed last is answered, and what remains of the turn is putting things away: it takes the next at once. */
  loopIsFree(): void
}
