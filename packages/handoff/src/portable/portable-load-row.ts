// The row of a worker on the portable board: what it said last, in records and reports, and on top of it what the primary knows of its own hand-offs.
// A loop is known to be busy from the moment at which something that it must answer was sent.

import type { LoadReport, LoadRow } from '../load/load-board.ts'
import { haveFallen, type LoadDetails } from '../load/load-details.ts'
import { MAX_WORD } from '../native/native-load-row.ts'
import type { ReportedLoad } from './portable-protocol.ts'

const SMOOTHING = 0.1
/** A loop that waits answers within this, and a machine with more to do than it has processors gives it one. */
const ANSWER_MS = 20

export class PortableLoadRow implements LoadRow {
  loopLagMs = 0
  utilisation = 0
  latencyMs = 0
  memoryBytes = 0
  handedOff = 0
  faults = 0
  /** Records and reports that came. */
  turns = 0
  begun = 0
  failed = 0
  details: LoadDetails | undefined
  turnWaitMs = 0
  turnMs = 0
  /** One hand-off is on its way at a time, so nothing is gained by one that waits behind it. */
  readonly nextInMs = Number.POSITIVE_INFINITY
  readonly isOverdue = false
  readonly turnsAreAlike = false
  readonly requestLoopMs = 0
  /** Somebody waits for the loop to turn. */
  isWanted = false
  private unfinished = 0
  private open = 0
  private received = 0
  private answered = 0
  private unansweredSinceMs: number | undefined
  private isHandOffOut = false
  private readonly ask: () => void

  /** `ask`: makes the worker say when its loop has turned, if nothing is on its way that would. */
  constructor(ask: () => void) {
    this.ask = ask
  }

  get inFlight(): number {
    return this.unfinished + this.onTheWay
  }

  get connections(): number {
    return this.open + this.onTheWay
  }

  get isFree(): boolean {
    return this.handedOff <= this.answered && this.busyMs === 0
  }

  get busyMs(): number {
    if (this.unansweredSinceMs === undefined) return 0
    const ms = Math.max(0, performance.now() - this.unansweredSinceMs)
    // A question alone says nothing of the loop before its answer could be here.
    return this.isHandOffOut || ms >= ANSWER_MS ? ms : 0
  }

  get onTheWay(): number {
    return Math.max(this.handedOff - this.received, 0)
  }

  get isAnswered(): boolean {
    return this.unansweredSinceMs === undefined
  }

  /** Something was sent that the worker answers when its loop has turned. */
  recordSent(nowMs: number, isHandOff: boolean): void {
    this.unansweredSinceMs ??= nowMs
    this.isHandOffOut ||= isHandOff
  }

  /** The worker has answered. `isHandOff`: a hand-off, not a question. */
  recordTurned(nowMs: number, isHandOff: boolean): void {
    if (isHandOff) this.answered++
    if (this.unansweredSinceMs === undefined) return
    this.turnWaitMs += (nowMs - this.unansweredSinceMs - this.turnWaitMs) * SMOOTHING
    this.unansweredSinceMs = undefined
    this.isHandOffOut = false
  }

  /** What the worker says of itself, not checked yet. */
  recordLoad(load: ReportedLoad): void {
    this.turns++
    this.take(load)
  }

  /** The same by another way than records: it may be older than they are. */
  recordLoadAside(load: ReportedLoad): void {
    this.turns++
    if (load.received < 0 || load.received >= this.received) this.take(load)
  }

  private take({ inFlight, received, connections, latencyUs }: ReportedLoad): void {
    const isNonsense = inFlight < 0 || connections < 0 || latencyUs < 0 || received < 0 || received > this.handedOff
    if (isNonsense) this.faults++
    this.unfinished = Math.max(inFlight, 0)
    this.open = Math.max(connections, 0)
    this.received = Math.min(Math.max(received, 0), this.handedOff)
    this.latencyMs = Math.max(latencyUs, 0) / 1000
  }

  report({ inFlight, connections, received, latencyMs, details, faults = 0, ...slower }: LoadReport): void {
    this.faults += faults
    if (details !== undefined && haveFallen(details.responses, this.details?.responses)) this.faults++
    else this.details = details ?? this.details
    this.begun = slower.begun
    this.failed = slower.failed
    this.recordLoadAside({ inFlight, connections, received, latencyUs: Math.min(latencyMs * 1000, MAX_WORD) })
    this.loopLagMs = slower.loopLagMs
    this.utilisation = slower.utilisation
    this.memoryBytes = slower.memoryBytes
  }

  want(): boolean {
    this.isWanted = true
    this.ask()
    return this.isFree
  }

  unwant(): void {
    this.isWanted = false
  }
}
