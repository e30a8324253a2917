// The primary's end of the portable channel, over Node's IPC. One hand-off is on its way at a time and the others wait here, so that none
// is stuck before a busy loop. The worker claims by a record in a pipe; until then the primary keeps its copy.

import type { ChildProcess } from 'node:child_process'
import type { Readable } from 'node:stream'
import type { Channel, ChannelListener, Connection } from '../channel.ts'
import { monotonicUs } from '../monotonic.ts'
import type { HeldSockets } from '../node-internals/held-socket.ts'
import { checkCounts } from '../owners.ts'
import type { ControlPipe } from '../pipes/control-pipe.ts'
import { readFairly } from '../pipes/read-fairly.ts'
import { packEntry } from '../proxied-entry.ts'
import type { Question, Verdict } from '../returns.ts'
import type { PortableLoadRow } from './portable-load-row.ts'
import { type ClaimRecord, handOffOf, RecordReader, recordKinds } from './portable-protocol.ts'

export const DEFAULT_WINDOW = 128
const NO_BYTES = Buffer.alloc(0)
const MAX_NUMBER = 2 ** 30

interface Offered {
  readonly connection: Connection
  readonly bound: boolean
  readonly sinceMs: number
  readonly offeredUs: number
}

/** A started worker as the channel needs it. */
export interface PortableWorker {
  readonly child: ChildProcess
  readonly control: ControlPipe
  readonly claims: Readable
}

export class PortableChannel implements Channel {
  outstanding = 0
  claimed = 0
  private readonly window: number
  private readonly held: HeldSockets
  private readonly row: PortableLoadRow
  private readonly listener: ChannelListener
  private readonly records = new RecordReader()
  /** Offered and not sent, in order. */
  private waiting: Offered[] = []
  /** Sent and not claimed, by number. */
  private readonly sent = new Map<number, Connection>()
  /** The number of the hand-off whose records have not come. */
  private unanswered: number | undefined
  private lastNumber = 0
  /** Claims since the last `settle`. They count as outstanding until then, as on the native channel. */
  private claimedSince = 0
  /** Hand-offs that could not be received, for the next `settle`. */
  private returned: Connection[] = []
  private worker: PortableWorker | undefined

  constructor(listener: ChannelListener, held: HeldSockets, row: PortableLoadRow, window: number) {
    this.listener = listener
    this.held = held
    this.row = row
    this.window = window
  }

  started(worker: PortableWorker): void {
    this.worker = worker
    readFairly(worker.claims, (bytes) => {
      let hasTurned = false
      for (const record of this.records.read(bytes)) hasTurned = this.onRecord(record) || hasTurned
      this.pump()
      // After all records: the callback may offer connections on this channel.
      if (hasTurned) this.listener.onTurned()
      this.listener.onBatchEnd()
    })
    worker.claims.on('error', () => {})
    this.pump()
  }

  get isSettled(): boolean {
    return this.outstanding === 0 && this.claimedSince === 0
  }

  get hasRoom(): boolean {
    return this.outstanding + this.claimedSince < this.window
  }

  offer(connection: Connection, bound: boolean): boolean {
    if (!this.hasRoom) return false
    this.held.owners?.move(connection.fd, 'dispatcher', 'channel')
    this.waiting.push({ connection, bound, sinceMs: performance.now(), offeredUs: monotonicUs() })
    this.outstanding++
    this.row.handedOff++
    return true
  }

  flush(): void {
    this.pump()
  }

  settle(): readonly Connection[] {
    this.pump()
    this.claimedSince = 0
    const back = this.returned
    this.returned = []
    this.row.handedOff -= back.length
    const settled = this.surrender(back)
    if (this.held.owners !== undefined) {
      const held = this.waiting.length + this.sent.size + this.returned.length
      checkCounts(this.outstanding, held, this.row.handedOff, this.claimed)
    }
    return settled
  }

  /** The worker must have exited and its records be read: a sent hand-off cannot be recalled. */
  takeBack(): readonly Connection[] {
    const back = [...this.returned, ...this.sent.values(), ...this.waiting.map(({ connection }) => connection)]
    this.returned = []
    this.sent.clear()
    this.waiting = []
    return this.surrender(back)
  }

  recall(most: number, olderThanMs: number): readonly Connection[] {
    const before = performance.now() - olderThanMs
    const recalled: Connection[] = []
    this.waiting = this.waiting.filter(({ connection, bound, sinceMs }) => {
      if (recalled.length >= most || bound || sinceMs > before) return true
      recalled.push(connection)
      return false
    })
    // The worker never receives them.
    this.row.handedOff -= recalled.length
    return this.surrender(recalled)
  }

  /** The caller owns these connections again. */
  private surrender(back: readonly Connection[]): readonly Connection[] {
    this.outstanding -= back.length
    for (const { fd } of back) this.held.owners?.move(fd, 'channel', 'dispatcher')
    return back
  }

  answer(question: Question, verdict: Verdict): void {
    this.worker?.control.send({ answer: question.id, verdict })
  }

  /** Everything has been read when `WorkerLink.afterExit` calls back. */
  readAll(): void {}

  close(): void {
    this.worker?.claims.destroy()
    this.worker?.control.close()
    this.worker = undefined
  }

  /** Asks the worker to say when its loop has turned, unless it owes a record that says so. */
  readonly askTurn = (): void => {
    if (!this.row.isAnswered || this.worker === undefined) return
    this.row.recordSent(performance.now(), false)
    this.worker.control.send({ turn: true })
  }

  private pump(): void {
    while (this.worker !== undefined && this.unanswered === undefined) {
      const next = this.waiting.shift()
      if (next === undefined) return
      this.send(next, this.worker.child)
    }
  }

  private send({ connection, offeredUs }: Offered, child: ChildProcess): void {
    const socket = this.held.get(connection.fd)
    const handle = socket?.detachHandle()
    if (socket === undefined || handle === undefined) {
      this.returned.push(connection)
      return
    }
    this.lastNumber = (this.lastNumber % MAX_NUMBER) + 1
    this.unanswered = this.lastNumber
    this.sent.set(this.lastNumber, connection)
    this.row.recordSent(performance.now(), true)
    const number = this.lastNumber
    // Without IPC the process is about to exit.
    if (!child.connected) return
    const { tag, bytes = NO_BYTES } = packEntry(connection.tag, connection.proxied, socket.bytes)
    child.send(handOffOf(number, tag, offeredUs, bytes), handle as never, { keepOpen: true }, (error) => {
      if (error !== null && this.onEmpty(number)) this.listener.onTurned()
    })
  }

  /** True: the loop has turned, and the listener wants to know. */
  private onRecord(record: ClaimRecord): boolean {
    this.row.recordLoad(record)
    const { kind, number } = record
    switch (kind) {
      case recordKinds.claimed:
        return this.onClaim(number)
      case recordKinds.empty:
        return this.onEmpty(number)
      case recordKinds.turned:
        if (number !== this.unanswered) return this.fault()
        this.unanswered = undefined
        return this.turned(true)
      case recordKinds.turnedWhenAsked:
        return !this.row.isAnswered && this.unanswered === undefined && this.turned(false)
      default:
        return this.fault()
    }
  }

  private onClaim(number: number): false {
    const connection = this.sent.get(number)
    if (connection === undefined) return this.fault()
    this.sent.delete(number)
    this.held.owners?.move(connection.fd, 'channel', 'none')
    this.held.close(connection.fd)
    this.outstanding--
    this.claimed++
    this.claimedSince++
    return false
  }

  private onEmpty(number: number): boolean {
    const connection = this.sent.get(number)
    if (connection === undefined || number !== this.unanswered) return this.fault()
    this.sent.delete(number)
    this.returned.push(connection)
    this.unanswered = undefined
    return this.turned(false)
  }

  private turned(isHandOff: boolean): boolean {
    const { row } = this
    row.recordTurned(performance.now(), isHandOff)
    const { isNoticeWanted: isWanted } = row
    row.isNoticeWanted = false
    return isWanted
  }

  private fault(): false {
    this.row.faults++
    return false
  }
}
