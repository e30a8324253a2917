// The row of a worker in shared memory: the worker alone writes it as things happen, the primary reads it at the moment of choice.

import type { LoadReport, LoadRow } from '../load/load-board.ts'
import { haveFallen, type LoadDetails } from '../load/load-details.ts'

/** Words of the row; times in µs of the machine's monotonic clock, as far as they fit into a word. */
export const rowWords = {
  /** Requests begun and not finished. */
  inFlight: 0,
  /** Hand-offs received since the worker's start. */
  received: 1,
  /** Open connections. */
  connections: 2,
  /** Moving average of response times in µs. */
  latencyUs: 3,
  /** Since when the loop has been in this turn; 0: it waits. From here on the native code writes. */
  busySince: 4,
  /** Turns of the loop since the start. */
  turns: 5,
  /** See `Load.turnWaitMs`. */
  turnWaitUs: 6,
  /** The last wish of the primary that was granted, see `want`. */
  granted: 7,
  /** Requests begun since the start; the worker's code writes it. */
  begun: 8,
  /** See `Load.turnMs`. */
  turnUs: 9,
  /** Requests that the app failed, since the start; the worker's code writes it. */
  failed: 10,
  /** How late the loop was at the last look; the worker's code writes this and the next ten times a second. */
  loopLagUs: 11,
  /** Share of time that the loop was busy, in thousandths. */
  utilisation: 12,
  /** Length of a turn that begins requests, for each of them, on the average; the native code writes it. */
  requestTurnUs: 13,
  /** Time of the loop for each request, whatever it was spent on, on the average; the worker's code writes it ten times a second. */
  requestLoopUs: 14,
} as const
/** The highest that a word can say. */
export const MAX_WORD = 2 ** 31 - 1
/** Behind the worker's own words the primary's: see seats.ts. */
export const WANTED_WORD = 30

/**
 * The turns of a loop are alike when a look at a random moment finds no more than this share of a request's turn still to come: one half where all are equally long, all of
 * it where their lengths are spread exponentially, several times as much where few are very long.
 */
const ALIKE_SHARE = 0.75
/** So much work, of loops whose turns are alike, may be offered ahead; one connection in any case. */
const AHEAD_US = 6000
/**
 * A loop whose own kept-alive connections fill its turns may have so many turns' requests offered ahead: what waits in the queue has waited for longer than what its own
 * connections ask next.
 */
const AHEAD_TURNS = 4
const MOST_AHEAD = 64
/** A turn is overdue that has lasted for so many average ones, and for longer than a process waits for a processor when there are few. */
const OVERDUE_TURNS = 4
const OVERDUE_MS = 5
/** A wish is a number of its own in the low bits, and above them the low bits of a count of hand-offs: it is granted when so many have been received. */
const WISH_BITS = 8
const WISH_MASK = 2 ** WISH_BITS - 1

// What `busySince` counts from: the clock of performance.now() began later. Time passes between the two looks, so the largest difference is the truest.
const CLOCK_OFFSET_MS = Math.max(...[1, 2, 3, 4, 5].map(() => Number(process.hrtime.bigint()) / 1e6 - performance.now()))

/** The moment that rows are read at: one look at the clock is enough for all of them. */
let nowUs = 0

/** Looks at the clock; to be called before rows are compared. */
export function readClock(): void {
  nowUs = ((performance.now() + CLOCK_OFFSET_MS) * 1000) | 0
}

export class NativeLoadRow implements LoadRow {
  memoryBytes = 0
  handedOff = 0
  faults = 0
  details: LoadDetails | undefined
  private words: Int32Array

  constructor(words: Int32Array) {
    this.words = words
  }

  /** The worker is gone: these words are what it said last, and nothing reads the shared ones any more. */
  keep(words: Int32Array): void {
    this.words = words
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
    // A loop that says it waits takes at once what is on its way.
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

  /** How many connections may be on their way to the loop while it is busy. */
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

  /** No more is received than was handed off, and no less than nothing. */
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
    const isNonsense =
      (words[rowWords.inFlight] as number) < 0 ||
      (words[rowWords.connections] as number) < 0 ||
      (words[rowWords.latencyUs] as number) < 0 ||
      (words[rowWords.turnWaitUs] as number) < 0 ||
      (words[rowWords.loopLagUs] as number) < 0 ||
      (words[rowWords.utilisation] as number) < 0 ||
      (words[rowWords.utilisation] as number) > 1000 ||
      (words[rowWords.received] as number) < 0 ||
      (words[rowWords.received] as number) > this.handedOff
    if (isNonsense) this.faults++
  }

  want(): boolean {
    const granted = Atomics.load(this.words, rowWords.granted)
    // While connections are offered ahead, the next ones should be here before the loop has taken the last.
    const received = this.handedOff - Math.ceil(this.aheadDepth / 2)
    const wish = (received << WISH_BITS) | ((granted + 1) & WISH_MASK)
    if (Atomics.load(this.words, WANTED_WORD) !== wish) Atomics.store(this.words, WANTED_WORD, wish)
    // Either the loop sees the wish before it waits, or it is seen here that it waits: both orders are sequential.
    return Atomics.load(this.words, rowWords.busySince) === 0 && this.isFree
  }

  unwant(): void {
    Atomics.store(this.words, WANTED_WORD, Atomics.load(this.words, rowWords.granted))
  }
}
