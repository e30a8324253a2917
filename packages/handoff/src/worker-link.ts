// The seam of the transport, seen from the primary: its acceptor, and its link to each worker.

import type { ChildProcess } from 'node:child_process'
import type { Acceptor, AcceptorOptions } from './acceptor/acceptor.ts'
import type { Channel, ChannelListener } from './channel.ts'
import type { ChannelEnds, ChannelKind } from './channel-ends.ts'
import type { LoadRow } from './load/load-board.ts'
import type { Owners } from './owners.ts'
import type { Passages } from './passage.ts'
import type { ControlPipe } from './pipes/control-pipe.ts'

/** The primary's link to one worker. */
export interface WorkerLink {
  readonly channel: Channel
  /** The worker's load row. */
  readonly load: LoadRow
  /** For the worker's stdio, behind stdin, stdout, stderr and IPC. */
  readonly stdio: readonly (number | 'pipe')[]
  /** The descriptors that the worker is told. */
  readonly ends: ChannelEnds
  /**
   * For all other messages, in both directions; undefined: the worker has not started, or its process could not be made. Node's IPC belongs
   * to the app.
   */
  readonly control: ControlPipe | undefined
  /** Tells the worker which slots of its pool have a ready worker. */
  sendReadySlots(slots: readonly number[]): void
  /** Can a worker give a connection back? Otherwise a connection that the worker does not keep closes with its next response. */
  readonly movesConnections: boolean
  /** Tells the worker how many kept-alive connections it keeps between requests; undefined: all. */
  sendKeptLimit(count: number | undefined): void
  /** Counts a change whose message is about to be sent. With shared memory the worker sees at once that it is on its way. */
  countChange(): void
  /**
   * The worker's process has its ends; without a pid it could not be made. `onOverflow`: it leaves too many messages unread, and its
   * control pipe is closed.
   */
  started(child: ChildProcess, onOverflow?: () => void): void
  /** The process has exited: calls `then` when everything that it wrote to the pipes is read. */
  afterExit(then: () => void): void
}

/** Bytes of messages that a worker may leave unread. They occupy the primary's memory. */
export const MAX_UNSENT_BYTES = 16 * 2 ** 20

/** One of the two ways to move connections. A process has one. */
export interface Transport {
  readonly kind: ChannelKind
  /** Owners of this transport's descriptors; undefined: they are not checked. */
  readonly owners: Owners | undefined
  /** undefined: connections cannot be passed to another primary. */
  readonly passages: Passages | undefined
  openAcceptor(options: AcceptorOptions): Acceptor
  /** `window`: bound on hand-offs under way. Throws when the process has no free descriptor. */
  openLink(listener: ChannelListener, window?: number): WorkerLink
}
