// The seam of the acceptor, seen from the primary: the listening sockets, and every connection from accept until it is handed off, refused
// or closed. It knows connections and their heads, and nothing of pools or workers.

import type { ListenerProtocol, RequestHead } from '@switchyard/routing'
import type { Connection } from '../channel.ts'
import type { BoundListener, InheritedListener, ListenerAddress } from './listener.ts'
import { type ProxyHeaderFault, type RefusalReason, refusals } from './refusal.ts'

/** How a connection came to the primary: from its client; from a worker or another primary, with its next request; or after a rest. */
export type ArrivalSource = 'client' | 'given-back' | 'rested'

/** A connection with its head. */
export interface Arrival extends Connection {
  /** Changes with what happens to the connection in the primary. */
  tag: number
  /** Left out: from its client. */
  source?: ArrivalSource | undefined
  /** Valid until the acceptor is called again or calls back: it refers to a shared buffer. */
  readonly head: RequestHead
}

/** At any moment `accepted + givenBack = handedOff + refused + answered + closed + waiting`; the channels count `handedOff`. */
export interface AcceptorCounts {
  accepted: number
  /** Given back by a worker, or passed by another primary. */
  givenBack: number
  /** Refused by the primary, by reason. */
  refused: Record<RefusalReason, number>
  /** Answered by the primary without a refusal, see `respond`. */
  answered: number
  /** Ended before a worker had them: the client hung up, or the connection was broken or dropped. */
  closed: number
  /** Connections whose head is incomplete. */
  waiting: number
  /** Refused connections that are still open for their answer to be read. */
  lingering: number
}

/** The counts of an acceptor that has just been opened. */
export function newAcceptorCounts(): AcceptorCounts {
  const refused = Object.fromEntries(Object.keys(refusals).map((reason) => [reason, 0])) as Record<RefusalReason, number>
  return { accepted: 0, givenBack: 0, refused, answered: 0, closed: 0, waiting: 0, lingering: 0 }
}

/** How long the head of a request may be. */
export interface HeadBounds {
  readonly maxHeadBytes: number
  /** true: a connection with a longer head is routed by its address, and the worker's parser judges it. Default: it is refused. */
  readonly passesLonger?: boolean
}

/** What is refused at the start of a connection, or can be judged by the worker's parser or TLS stack only (`unreadable`). */
export interface BadHead {
  readonly reason: RefusalReason | 'unreadable'
  /** Of the client; undefined for a unix socket. */
  readonly address: string | undefined
  /** What was read of it, valid during the call. */
  readonly bytes: Buffer
  readonly maxHeadBytes: number
  /** What the clients of the listener speak. */
  readonly expected: ListenerProtocol
}

/** The config has a default for each bound. */
export interface AcceptorOptions extends HeadBounds {
  /** Time from accept to the end of the head. */
  readonly headTimeoutMs: number
  readonly maxUnrouted: number
  readonly maxUnroutedPerAddress: number
  /** Share of the descriptor limit at which accepting pauses. */
  readonly descriptorShare: number
  readonly lingerTimeoutMs: number
  /** Bound on idle connections that rest here. */
  readonly maxResting: number
  /** Accepting pauses because descriptors run short (`reason`), or goes on (undefined). */
  readonly onPause?: (reason: string | undefined) => void
  /** A head could not be read. */
  readonly onBadHead?: (head: BadHead) => void
  /** A connection was refused because of its PROXY protocol header. `address`: of the peer; undefined for a unix socket. */
  readonly onBadProxyHeader?: (reason: ProxyHeaderFault, address: string | undefined) => void
}

/** Receives the connections of an acceptor. */
export interface AcceptorListener {
  /** A connection has its head, or is routed by address alone. The callee owns it from now on. */
  onArrival(arrival: Arrival): void
  /** The client of a connection that is watched by `watchHangUp` has ended its side, or the connection is broken. */
  onHangUp(fd: number): void
  /** A batch of arrivals is complete: the moment to flush. */
  onBatchEnd(): void
}

/** Takes over the connections of an acceptor. */
export interface HandOverListener {
  /** Its head is incomplete. `expectsProxy`: so is the header of the PROXY protocol before it, or none has come. */
  onPending(connection: Connection, expectsProxy: boolean): void
  /** It is idle. `timeoutMs`: the rest of its time; undefined: it has no bound. */
  onResting(connection: Connection, timeoutMs: number | undefined): void
}

/** Owns all listeners of this process. A process has at most one acceptor. */
export interface Acceptor {
  readonly counts: AcceptorCounts
  readonly isAccepting: boolean
  /** Idle connections that rest here. */
  readonly restingCount: number
  /** The listening descriptors, for the stdio of another process. */
  readonly listening: readonly { readonly number: number; readonly fd: number }[]
  /** By the number of the listener: are heads peeked at? */
  readonly peeks: Readonly<Record<number, boolean>>
  /** Sets the listener that receives the connections. Call it once, before any other method. */
  start(listener: AcceptorListener): void
  /**
   * Binds and listens, or takes over a listening socket. Nothing is accepted before `accept()` or `acceptOn()`. Rejects as `listen` of
   * listener.ts does, and with EMFILE when no listener number is free.
   */
  listen(address: ListenerAddress, inherited?: InheritedListener): Promise<BoundListener>
  /** Gives a listener a new socket at the path of its unix socket, whose file was removed. Rejects as `listen`; then nothing has changed. */
  relisten(number: number, address: ListenerAddress & { readonly path: string }): Promise<void>
  /** Returns a number for a listener of another process, whose connections that process passes to this one. */
  addForeign(peek: boolean): number
  /** Accepts on every present listener. */
  accept(): void
  /** Raises the bounds of heads, never lowers them. Never call it from a callback of the acceptor. */
  allowHeads(bounds: HeadBounds): void
  /** Accepts on a listener that was opened after `accept()`. */
  acceptOn(number: number): void
  /** Sets whether heads of new connections are peeked at. */
  setPeek(number: number, peek: boolean): void
  /** Sets what the servers behind a listener speak. It counts where the address names no protocol. */
  setServed(number: number, served: ListenerProtocol | undefined): void
  /** Closes one listener. Its accepted connections stay. */
  closeListener(number: number): void
  /** Closes all listeners, so that the kernel refuses new clients. Accepted connections stay. */
  closeListeners(): void
  /** Keeps an idle connection until its client sends or hangs up, or `timeoutMs` have passed; undefined: without a bound. */
  rest(connection: Connection, timeoutMs: number | undefined): void
  /** Closes all resting connections, and those that come to rest later: a server may close an idle connection at any time. */
  closeResting(): void
  /** Hands over all connections that rest or whose head is incomplete. Does nothing on a transport that cannot pass descriptors on. */
  handOver(to: HandOverListener): void
  /**
   * Takes in a connection that a worker gives back, or another primary passes. The worker is not trusted: the bytes that it claims to have
   * read are examined like a client's. `expectsProxy`: as `HandOverListener.onPending` has it. Returns as `readmit` does.
   */
  receiveBack(connection: Connection, expectsProxy?: boolean): Arrival | undefined
  /**
   * Examines a connection again that came back or waited. undefined: it is closed because its client hung up, or refused, or its head is
   * incomplete.
   */
  readmit(connection: Connection): Arrival | undefined
  /** Answers a connection, which the acceptor owns again. */
  refuse(fd: number, reason: RefusalReason, retryAfterS?: number): void
  /** Sends a whole response that ends the connection, which the acceptor owns again. */
  respond(fd: number, response: Buffer): void
  /**
   * Leaves new connections in the kernel for `ms` milliseconds, when looking sooner gains nothing. Does nothing on a transport that cannot.
   */
  holdOff(ms: number): void
  /** Calls `onHangUp` when the client of a connection hangs up. The caller still owns the connection. */
  watchHangUp(fd: number): void
  unwatchHangUp(fd: number): void
  /** Closes a connection without an answer. */
  drop(fd: number): void
  /** Closes every listener and connection that is still here. */
  close(): void
}
