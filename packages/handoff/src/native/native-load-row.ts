// A worker's row in shared memory, seen from the primary: the worker writes it as events happen, the primary reads it when it chooses.

import type { LoadReport, LoadRow } from '../load/load-board.ts'
import { haveFallen, type LoadDetails } from '../load/load-details.ts'
import { routeCountersOf } from '../load/route-counters.ts'
import { AHEAD_TURNS, NOTICE_BITS, primaryWords, rowWords } from '../load/shared-page.ts'

/**
 * The turns of a loop are alike when the mean wait for the end of a turn is at most this share of a request's turn. The wait is one half
 * when all turns are equally long, the whole when their lengths are exponentially distributed, and several times as much when few are very
 * long.
 */
const ALIKE_SHARE = 0.75
/** Work that may be offered ahead to a loop whose turns are alike; one connection in any case. */
const AHEAD_US = 6000
const MOST_AHEAD = 64
/** A turn is overdue after this many mean turns, and after the time that a process may wait for a busy processor. */
const OVERDUE_TURNS = 4
const OVERDUE_MS = 5
const NOTICE_MASK = 2 ** NOTICE_BITS - 1

// `busySince` counts from the machine's start, performance.now() from the process's. Time passes between the two calls, so the largest
// difference is the most exact.
const CLOCK_OFFSET_MS = Math.max(...[1, 2, 3, 4, 5].map(() => Number(process.hrtime.bigint()) / 1e6 - performance.now()))

/** The time at which rows are read: one call of the clock serves all of them. */
let nowUs = 0

/** Reads the clock. Call it before rows are compared. */
export function readClock(): void {
  nowUs = ((performance.now() + CLOCK_OFFSET_MS) * 1000) | 0
}

export class NativeLoadRow implements LoadRow {
  memoryBytes = 0
  handedOff = 0
  faults = 0
  details: LoadDetails | undefined
  private counters: Float64Array | undefined
  private words: Int32Array

  constructor(words: Int32Array) {
    this.words = words
  }

  /** The worker has exited: `words` are a copy of its last row, and the shared row is read no more. */
  keep(words: Int32Array): void {
    this.words = words
    this.counters = undefined
  }

  get routeCounters(): Float64Array {
    this.counters ??= routeCountersOf(this.words)
    return this.counters
  }

  get inFlight(): number {
    const begun = this.words[rowWords.inFlight] as number
    return Math.max(begun, 0) + this.onTheWay
  }

  get connections(): number {
    const open = this.words[rowWords.connections] as number
    return Math.max(open, 0) + this.onTheWay
  }

  get isFree(): boolean {
    const { words } = this
    return words[rowWords.busySince] === 0 && (words[rowWords.received] as number) >= this.handedOff
  }

  get busyMs(): number {
    const since = this.words[rowWords.busySince] as number
    if (since === 0) return 0
    const us = (nowUs - since) | 0
    return us > 0 ? us / 1000 : 0
  }

  get nextInMs(): number {
    const { words, onTheWay } = this
    const depth = this.aheadDepth
    // A loop that waits takes at once what is on its way.
    const mayHaveMore = words[rowWords.busySince] === 0 ? onTheWay <= depth : onTheWay < depth && !this.isOverdue
    if (depth === 0 || !mayHaveMore) return Number.POSITIVE_INFINITY
    const requestUs = words[rowWords.requestTurnUs] as number
    return Math.max(0, (Math.max(requestUs, words[rowWords.turnUs] as number) + onTheWay * requestUs) / 1000 - this.busyMs)
  }

  get isOverdue(): boolean {
    return this.busyMs > Math.max(OVERDUE_MS, OVERDUE_TURNS * Math.max(this.turnMs, (this.words[rowWords.requestTurnUs] as number) / 1000))
  }

  get turnsAreAlike(): boolean {
    const requestUs = this.words[rowWords.requestTurnUs] as number
    return requestUs > 0 && (this.words[rowWords.turnWaitUs] as number) <= requestUs * ALIKE_SHARE
  }

  /**
   * How many connections may be on their way to a busy loop. The requests of AHEAD_TURNS turns: connections in the queue have waited longer
   * than the next requests of the worker's own connections.
   */
  private get aheadDepth(): number {
    if (!this.turnsAreAlike) return 0
    const requestUs = this.words[rowWords.requestTurnUs] as number
    const requestsATurn = (this.words[rowWords.turnUs] as number) / requestUs
    return Math.min(
      Math.max(1, Math.floor(AHEAD_US / requestUs), requestsATurn < 2 ? 0 : Math.floor(requestsATurn * AHEAD_TURNS)),
      MOST_AHEAD,
    )
  }

  get turnWaitMs(): number {
    const us = this.words[rowWords.turnWaitUs] as number
    return us > 0 ? us / 1000 : 0
  }

  get turnMs(): number {
    return Math.max(this.words[rowWords.turnUs] as number, 0) / 1000
  }

  get latencyMs(): number {
    const us = this.words[rowWords.latencyUs] as number
    return us > 0 ? us / 1000 : 0
  }

  get loopLagMs(): number {
    return Math.max(this.words[rowWords.loopLagUs] as number, 0) / 1000
  }

  get utilisation(): number {
    return Math.min(Math.max(this.words[rowWords.utilisation] as number, 0), 1000) / 1000
  }

  get requestLoopMs(): number {
    return Math.max(this.words[rowWords.requestLoopUs] as number, 0) / 1000
  }

  get turns(): number {
    return (this.words[rowWords.turns] as number) >>> 0
  }

  get begun(): number {
    return (this.words[rowWords.begun] as number) >>> 0
  }

  get failed(): number {
    return (this.words[rowWords.failed] as number) >>> 0
  }

  /** Never below 0, whatever the worker says. */
  get onTheWay(): number {
    const received = this.words[rowWords.received] as number
    const missing = this.handedOff - Math.max(received, 0)
    return Math.max(missing, 0)
  }

  report({ memoryBytes, details, faults = 0 }: LoadReport): void {
    this.faults += faults
    if (details !== undefined && haveFallen(details.responses, this.details?.responses)) this.faults++
    else this.details = details ?? this.details
    this.memoryBytes = memoryBytes
    const { words } = this
    const isImpossible =
      (words[rowWords.inFlight] as number) < 0 ||
      (words[rowWords.connections] as number) < 0 ||
      (words[rowWords.latencyUs] as number) < 0 ||
      (words[rowWords.turnWaitUs] as number) < 0 ||
      (words[rowWords.loopLagUs] as number) < 0 ||
      (words[rowWords.utilisation] as number) < 0 ||
      (words[rowWords.utilisation] as number) > 1000 ||
      (words[rowWords.received] as number) < 0 ||
      (words[rowWords.received] as number) > this.handedOff
    if (isImpossible) this.faults++
  }

  requestNotice(): boolean {
    const last = Atomics.load(this.words, rowWords.noticeSent)
    // Connections that are offered ahead should arrive before the loop has taken the last one.
    const received = this.handedOff - Math.ceil(this.aheadDepth / 2)
    const notice = (received << NOTICE_BITS) | ((last + 1) & NOTICE_MASK)
    if (Atomics.load(this.words, primaryWords.noticeWanted) !== notice) Atomics.store(this.words, primaryWords.noticeWanted, notice)
    // Both processes store, then load, in sequential order. So either the loop sees the request, or this process sees that the loop waits.
    return Atomics.load(this.words, rowWords.busySince) === 0 && this.isFree
  }

  cancelNotice(): void {
    Atomics.store(this.words, primaryWords.noticeWanted, Atomics.load(this.words, rowWords.noticeSent))
  }
}
