// The seam of all that depends on the machine: the primary's door, and its line to each worker.

import type { ChildProcess } from 'node:child_process'
import type { Acceptor, AcceptorOptions } from './acceptor/acceptor.ts'
import type { Channel, ChannelListener } from './channel.ts'
import type { ChannelEnds, ChannelKind } from './channel-ends.ts'
import type { LoadRow } from './load/load-board.ts'
import type { Owners } from './owners.ts'
import type { Passages } from './passage.ts'
import type { ControlPipe } from './pipes/control-pipe.ts'

/** All that goes between the primary and one worker. */
export interface WorkerLink {
  readonly channel: Channel
  /** The worker's row of the load board. */
  readonly load: LoadRow
  /** For the worker's stdio, behind stdin, stdout, stderr and IPC. */
  readonly stdio: readonly (number | 'pipe')[]
  /** What the worker is told of its ends. */
  readonly ends: ChannelEnds
  /** Carries the messages of both sides; undefined before the worker has started, and when it could not be. Node's own IPC is the app's. */
  readonly control: ControlPipe | undefined
  /** Tells the worker which slots of its pool have a ready worker. */
  sendReadySlots(slots: readonly number[]): void
  /** Can a connection come back from the worker? Where it can't, one that the worker does not keep ends with its next response. */
  readonly movesConnections: boolean
  /** Tells the worker how many kept-alive connections it keeps to itself; undefined: all. */
  sendKeptLimit(count: number | undefined): void
  /** A message of a change is about to be sent: where memory is shared, the worker knows from now on that it is on its way. */
  countChange(): void
  /**
   * The worker's process exists and holds its ends; without a pid it could not be made. `onDeaf`: it leaves too much of what it is told unread, and
   * is told nothing any more.
   */
  started(child: ChildProcess, onDeaf?: () => void): void
  /** The process has ended: calls `then` when everything that it had said is heard. */
  afterExit(then: () => void): void
}

/** What a worker may leave unread of what it is told: it keeps the primary's memory. */
export const MAX_UNSENT_BYTES = 16 * 2 ** 20

/** One of the two ways of moving connections. One per process. */
export interface Transport {
  readonly kind: ChannelKind
  /** Of the descriptors that this transport moves; undefined: they are not checked. */
  readonly owners: Owners | undefined
  /** How connections go to another primary; undefined: they don't. */
  readonly passages: Passages | undefined
  openAcceptor(options: AcceptorOptions): Acceptor
  /** `window`: hand-offs that may be unclaimed at a time. Throws when the system has no descriptors left. */
  openLink(listener: ChannelListener, window?: number): WorkerLink
}
