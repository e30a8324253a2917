// A worker's row on the portable transport, seen from the primary: the worker's last record or report, plus the hand-offs on their way. A
// loop counts as busy from the moment at which the primary sends it something that it must answer.

import type { LoadReport, LoadRow } from '../load/load-board.ts'
import { haveFallen, type LoadDetails } from '../load/load-details.ts'
import { newRouteCounters, unpackRouteCounters } from '../load/route-counters.ts'
import { MAX_WORD } from '../load/shared-page.ts'
import type { ReportedLoad } from './portable-protocol.ts'

const SMOOTHING = 0.1
/** A loop that waits answers within this time, even on a machine with more runnable processes than processors. */
const ANSWER_MS = 20

export class PortableLoadRow implements LoadRow {
  loopLagMs = 0
  utilisation = 0
  latencyMs = 0
  memoryBytes = 0
  handedOff = 0
  faults = 0
  /** Records and reports received. */
  turns = 0
  begun = 0
  failed = 0
  readonly routeCounters = newRouteCounters()
  details: LoadDetails | undefined
  turnWaitMs = 0
  turnMs = 0
  /** One hand-off is on its way at a time, so offering another ahead gains nothing. */
  readonly nextInMs = Number.POSITIVE_INFINITY
  readonly isOverdue = false
  readonly turnsAreAlike = false
  readonly requestLoopMs = 0
  /** See `requestNotice`. */
  isNoticeWanted = false
  private unfinished = 0
  private open = 0
  private received = 0
  private answered = 0
  private unansweredSinceMs: number | undefined
  private isHandOffOut = false
  private readonly askTurn: () => void

  /** `askTurn`: makes the worker say when its loop has turned, unless it owes an answer that says so. */
  constructor(askTurn: () => void) {
    this.askTurn = askTurn
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
    // Without a hand-off, the first ANSWER_MS say nothing: the answer could not be here yet.
    return this.isHandOffOut || ms >= ANSWER_MS ? ms : 0
  }

  get onTheWay(): number {
    return Math.max(this.handedOff - this.received, 0)
  }

  get isAnswered(): boolean {
    return this.unansweredSinceMs === undefined
  }

  /** Something was sent that the worker answers when its loop has turned. `isHandOff`: not a mere question. */
  recordSent(nowMs: number, isHandOff: boolean): void {
    this.unansweredSinceMs ??= nowMs
    this.isHandOffOut ||= isHandOff
  }

  /** The worker has answered. */
  recordTurned(nowMs: number, isHandOff: boolean): void {
    if (isHandOff) this.answered++
    if (this.unansweredSinceMs === undefined) return
    this.turnWaitMs += (nowMs - this.unansweredSinceMs - this.turnWaitMs) * SMOOTHING
    this.unansweredSinceMs = undefined
    this.isHandOffOut = false
  }

  /** Takes in the load of a record, unchecked. */
  recordLoad(load: ReportedLoad): void {
    this.turns++
    this.apply(load)
  }

  /** Takes in a load that came by another way than records, so it may be older than the last record. */
  recordReportedLoad(load: ReportedLoad): void {
    this.turns++
    if (load.received < 0 || load.received >= this.received) this.apply(load)
  }

  private apply({ inFlight, received, connections, latencyUs }: ReportedLoad): void {
    const isImpossible = inFlight < 0 || connections < 0 || latencyUs < 0 || received < 0 || received > this.handedOff
    if (isImpossible) this.faults++
    this.unfinished = Math.max(inFlight, 0)
    this.open = Math.max(connections, 0)
    this.received = Math.min(Math.max(received, 0), this.handedOff)
    this.latencyMs = Math.max(latencyUs, 0) / 1000
  }

  report({ inFlight, connections, received, latencyMs, details, routes, faults = 0, ...slower }: LoadReport): void {
    this.faults += faults
    if (routes !== undefined) unpackRouteCounters(routes, this.routeCounters)
    if (details !== undefined && haveFallen(details.responses, this.details?.responses)) this.faults++
    else this.details = details ?? this.details
    this.begun = slower.begun
    this.failed = slower.failed
    this.recordReportedLoad({ inFlight, connections, received, latencyUs: Math.min(latencyMs * 1000, MAX_WORD) })
    this.loopLagMs = slower.loopLagMs
    this.utilisation = slower.utilisation
    this.memoryBytes = slower.memoryBytes
  }

  requestNotice(): boolean {
    this.isNoticeWanted = true
    this.askTurn()
    return this.isFree
  }

  cancelNotice(): void {
    this.isNoticeWanted = false
  }
}
