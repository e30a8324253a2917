// The seam of the primary's door: listening sockets, and every connection from accept until it is handed off, refused or closed.
// Speaks from the primary's point of view. It knows heads and connections; whom a connection should go to is not its business.

import type { RequestHead } from '@switchyard/routing'
import type { Connection } from '../channel.ts'
import { MAX_LISTENER_NUMBERS } from '../tag.ts'
import type { BoundListener, InheritedListener, ListenerAddress } from './listener.ts'
import { type RefusalReason, refusals } from './refusal.ts'

/** A connection with what is known of it. */
export interface Arrival extends Connection {
  /** Valid until the door is called again, or has something new: it looks into a shared buffer. */
  readonly head: RequestHead
}

/** Where the connections are. `accepted + givenBack = handedOff + refused + closed + waiting` at any moment; handed off is the channels' to count. */
export interface AcceptorCounts {
  accepted: number
  /** Come back from a worker. */
  givenBack: number
  /** Answered by the primary, by reason. */
  refused: Record<RefusalReason, number>
  /** Left by the client before anybody had them, or not even readable. */
  closed: number
  /** Heads that are not complete. */
  waiting: number
  /** Refused connections whose answer is still on its way out. */
  lingering: number
}

/** The next number after `last` that no listener has. Throws EMFILE when there is none. */
export function nextListenerNumber(last: number, taken: { has(number: number): boolean; readonly size: number }): number {
  if (taken.size >= MAX_LISTENER_NUMBERS) throw Object.assign(new Error('EMFILE: too many listeners'), { code: 'EMFILE' })
  let number = last
  do number = (number + 1) % MAX_LISTENER_NUMBERS
  while (taken.has(number))
  return number
}

/** The counts of a door that has just been opened. */
export function newAcceptorCounts(): AcceptorCounts {
  const refused = Object.fromEntries(Object.keys(refusals).map((reason) => [reason, 0])) as Record<RefusalReason, number>
  return { accepted: 0, givenBack: 0, refused, closed: 0, waiting: 0, lingering: 0 }
}

/** How long the head of a request may be. */
export interface HeadBounds {
  readonly maxHeadBytes: number
  /** Is a connection with a longer one routed by its address, for the worker's parser to judge? Left out or false: it is refused. */
  readonly passesLonger?: boolean
}

/** The bounds of the door; all have defaults in the config. */
export interface AcceptorOptions extends HeadBounds {
  /** From accept to the end of the head. */
  readonly headTimeoutMs: number
  readonly maxUnrouted: number
  readonly maxUnroutedPerAddress: number
  /** Share of the descriptor limit at which accepting pauses. */
  readonly descriptorShare: number
  readonly lingerTimeoutMs: number
  /** Idle connections that may rest here. */
  readonly maxResting: number
  /** A connection has its head, or is routed by address alone. It is the callee's from here on. */
  readonly onArrival: (arrival: Arrival) => void
  /** The client of a connection that `watchLeaving` was called for sends no more, or is gone. */
  readonly onHangUp: (fd: number) => void
  /** A batch of arrivals is over: the moment to flush. */
  readonly onBatchEnd: () => void
  /** Accepting has paused for want of descriptors (`reason`), or goes on (undefined). */
  readonly onPause?: (reason: string | undefined) => void
}

/** Whoever gets what a door lets go of. */
export interface HandOverListener {
  /** Its head is not complete. */
  onPending(connection: Connection): void
  /** It is idle. `timeoutMs`: for how long it would have rested on; undefined: for as long as it likes. */
  onResting(connection: Connection, timeoutMs: number | undefined): void
}

/** Owns all listeners of this process; there can be one door in a process. */
export interface Acceptor {
  readonly counts: AcceptorCounts
  readonly isAccepting: boolean
  /** Idle connections that rest here now. */
  readonly restingCount: number
  /** What listens here, with its descriptor: for the stdio of another process. */
  readonly listening: readonly { readonly number: number; readonly fd: number }[]
  /** Of every listener by its number: is the head looked at? */
  readonly peeks: Readonly<Record<number, boolean>>
  /**
   * Binds and listens, or takes over a socket that listens already. No client is let in before `accept()` or `acceptOn()`. Rejects as `listen` of listener.ts
   * does, and with EMFILE when no number is left for it.
   */
  listen(address: ListenerAddress, inherited?: InheritedListener): Promise<BoundListener>
  /** Gives a listener another socket at the path of its unix socket, whose file is gone. Rejects as `listen`; then it is as before. */
  relisten(number: number, address: ListenerAddress & { readonly path: string }): Promise<void>
  /** A number for a listener that only another process has: of connections that it has accepted and passes on. */
  addForeign(peek: boolean): number
  /** Accepts on every listener that there is. */
  accept(): void
  /** From now on a head may be that long, if it was less before. Not to be called from a callback of the door. */
  allowHeads(bounds: HeadBounds): void
  /** Accepts on a listener that was opened after `accept()`. */
  acceptOn(number: number): void
  /** From now on the head of what a listener accepts is looked at, or is not. */
  setPeek(number: number, peek: boolean): void
  /** Closes one listener. What it has accepted goes on. */
  closeListener(number: number): void
  /** Closes the listening sockets; the kernel refuses new clients. What has been accepted goes on. */
  closeListeners(): void
  /** Takes in an idle connection until its client sends something, leaves, or has rested for `timeoutMs`; undefined: for as long as it likes. */
  rest(connection: Connection, timeoutMs: number | undefined): void
  /** Ends all rest: these connections are idle, and their clients know that it may happen. */
  closeResting(): void
  /** Lets go of all whose heads are not complete, and of all that rest: they are the listener's. Does nothing where no descriptor can be passed on. */
  handOver(to: HandOverListener): void
  /**
   * Takes in a connection that a worker gives back, or another primary. A worker may lie: what it says it has read is examined like a client's bytes.
   * Returns as `readmit` does.
   */
  receiveBack(connection: Connection): Arrival | undefined
  /** Looks again at a connection that came back or had to wait. Undefined: its client has left and it has ended, or it is refused, or its head is not complete yet. */
  readmit(connection: Connection): Arrival | undefined
  /** Answers a connection from here; `fd` is the door's again. */
  refuse(fd: number, reason: RefusalReason, retryAfterS?: number): void
  /** What arrives is looked at after `ms` milliseconds, all together: nothing is gained by looking sooner. Does nothing where it can't wait in the kernel. */
  holdOff(ms: number): void
  /** From now on `onLeft` tells when the client of a connection, which is the caller's, leaves. */
  watchHangUp(fd: number): void
  unwatchHangUp(fd: number): void
  /** Ends a connection that nobody answers. */
  drop(fd: number): void
  /** Closes everything that is still here. */
  close(): void
}
