// Counts the requests of this worker that have begun, are in flight, ended or failed, and measures their response times.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { performance } from 'node:perf_hooks'
import type { Duplex } from 'node:stream'
import { MAX_WORD, type ResponseTimes, responseBoundsMs, rowWords } from '@switchyard/handoff'
import { SAMPLE_EVERY } from '../../observation-messages.ts'
import { SLOW_MS } from '../../observations/blocking-requests.ts'
import { type OpenRequest, OpenRequests } from './open-requests.ts'
import { RouteRequests } from './route-requests.ts'

const SMOOTHING = 0.1
/** One request in this many counts for the average and the worker's response times. */
const TIMED_EVERY = SAMPLE_EVERY
/** No count of turns. */
const UNKNOWN_TURN = -1
const OWN_WORDS = Object.keys(rowWords).length
const COUNTED = [rowWords.inFlight, rowWords.received]

export interface InFlightOptions {
  /** Called for each response with a status of 400 or above when it has ended. */
  readonly onError?: ((response: ServerResponse) => void) | undefined
  /** Called for each request with a response that has ended. `ms`: its duration; `nowMs`: on the monotonic clock. */
  readonly onEnded?: EndedListener | undefined
  readonly routes?: RouteRequests | undefined
  /** Looks for requests that block the loop. */
  readonly observer?: RequestObserver | undefined
}

/** Told of requests that may block the event loop. */
export interface RequestObserver {
  /** Does it want samples? */
  readonly isSampling: boolean
  sample(request: IncomingMessage): void
  begin(response: ServerResponse, atMs: number): void
  /** Called for each request that took SLOW_MS or more. */
  end(response: ServerResponse, ms: number): void
}

export type EndedListener = (response: ServerResponse, request: OpenRequest, isFinished: boolean, ms: number, nowMs: number) => void

/** An upgraded connection is in flight until it closes. */
export class InFlight {
  private row: Int32Array = new Int32Array(OWN_WORDS)
  /** Exponential moving average. */
  latencyMs = 0
  /** Requests ended since the start. */
  ended = 0
  private readonly counts: number[] = new Array(responseBoundsMs.length + 1).fill(0)
  private sumMs = 0
  private untilTimed = 0
  private loopIsBusy = () => {}
  private readonly onError: (response: ServerResponse) => void
  private readonly onEnded: EndedListener | undefined
  private readonly routes: RouteRequests
  private readonly observer: RequestObserver | undefined
  private readonly open = new OpenRequests((response, request, isFinished) => this.endRequest(response, request, isFinished))
  /** When a request last ended, and the turn of the loop in which it did. */
  private endedMs = 0
  private endedTurn = UNKNOWN_TURN
  private countsTurns = false
  private readonly upgradeClosed = () => this.end()

  constructor({ onError = () => {}, onEnded, routes = new RouteRequests(), observer }: InFlightOptions = {}) {
    this.onError = onError
    this.onEnded = onEnded
    this.routes = routes
    this.observer = observer
    // Until `publish`, no process reads this row.
    this.row[rowWords.busySince] = 1
  }

  /**
   * Moves the counts to the row that the primary reads. `loopIsBusy` is called when a request begins in a loop that is marked as waiting. `countsTurns`: the row
   * counts the turns of the loop.
   */
  publish(row: Int32Array, loopIsBusy: () => void, countsTurns = false): void {
    this.loopIsBusy = loopIsBusy
    this.countsTurns = countsTurns
    for (const word of COUNTED) row[word] = this.row[word] as number
    this.row = row
  }

  /** Response times since the start. */
  get responses(): ResponseTimes {
    return { counts: [...this.counts], sumMs: this.sumMs }
  }

  /** Lets the average decay while no request ends. */
  forgetLatency(): void {
    this.recordLatency(0)
  }

  /** Requests in flight. */
  get count(): number {
    return this.row[rowWords.inFlight] as number
  }

  /** Hand-offs received since the start. */
  get received(): number {
    return this.row[rowWords.received] as number
  }

  /** Requests begun since the start. */
  get begun(): number {
    return (this.row[rowWords.begun] as number) >>> 0
  }

  /** Requests since the start that the app failed. */
  get failed(): number {
    return (this.row[rowWords.failed] as number) >>> 0
  }

  countReceived(): void {
    // Atomic, so that the primary never sees this count before the word that marks the loop as busy.
    Atomics.store(this.row, rowWords.received, this.received + 1)
  }

  /** A second call for the same response counts nothing, and returns undefined: after 'checkContinue' apps emit 'request' themselves. */
  beginRequest(request: IncomingMessage, response: ServerResponse): OpenRequest | undefined {
    if (OpenRequests.hasBegun(response)) return undefined
    const open = this.open.begin(request, response)
    open.route = this.routes.begin(request)
    open.isSample = this.isSampled()
    open.isLogged = false
    // A clock reading costs half a percent of a small request. When another request has ended in this turn of the loop, this one was in the kernel by then, so
    // the reading at that end serves.
    open.atMs = !open.isSample && this.endedTurn === this.turn ? this.endedMs : performance.now()
    if (this.observer !== undefined) this.observe(this.observer, request, response, open)
    this.begin()
    return open
  }

  beginUpgrade(request: IncomingMessage, socket: Duplex): void {
    this.routes.beginUpgrade(request)
    socket.once('close', this.upgradeClosed)
    this.begin()
  }

  private observe(observer: RequestObserver, request: IncomingMessage, response: ServerResponse, { atMs, isSample }: OpenRequest): void {
    observer.begin(response, atMs)
    if (isSample && observer.isSampling) observer.sample(request)
  }

  private begin(): void {
    this.row[rowWords.inFlight] = this.count + 1
    this.row[rowWords.begun] = (this.row[rowWords.begun] as number) + 1
    if (this.row[rowWords.busySince] === 0) this.loopIsBusy()
  }

  private isSampled(): boolean {
    if (this.untilTimed-- > 0) return false
    this.untilTimed = TIMED_EVERY - 1
    return true
  }

  private endRequest(response: ServerResponse | undefined, request: OpenRequest, isFinished: boolean): void {
    const nowMs = performance.now()
    const ms = nowMs - request.atMs
    if (this.countsTurns) {
      this.endedMs = nowMs
      this.endedTurn = this.turn
    }
    if (request.isSample) this.recordResponse(ms)
    if (request.route >= 0) this.routes.end(request.route, response, ms)
    if (response !== undefined) {
      if (response.statusCode >= 400 || !response.writableEnded) this.recordFailure(response)
      this.onEnded?.(response, request, isFinished, ms, nowMs)
      if (ms >= SLOW_MS) this.observer?.end(response, ms)
    }
    this.end()
  }

  private get turn(): number {
    return this.row[rowWords.turns] as number
  }

  private recordResponse(ms: number): void {
    let bucket = 0
    while (bucket < responseBoundsMs.length && ms > (responseBoundsMs[bucket] as number)) bucket++
    this.counts[bucket] = (this.counts[bucket] as number) + 1
    this.sumMs += ms
    this.recordLatency(ms)
  }

  /** Counts a 5xx response, and a response that the app broke off. A client that hung up, or a failed connection, is no failure of the app. */
  private recordFailure(response: ServerResponse): void {
    const { statusCode, writableEnded, socket } = response
    if (statusCode >= 400) this.onError(response)
    if (writableEnded && statusCode < 500) return
    // Without a socket: its client reset the stream of HTTP/2, or the connection has closed.
    if (!writableEnded && statusCode < 500 && (!socket || socket.readableEnded || socket.errored !== null)) return
    this.row[rowWords.failed] = this.failed + 1
  }

  private recordLatency(ms: number): void {
    this.latencyMs += (ms - this.latencyMs) * SMOOTHING
    this.row[rowWords.latencyUs] = Math.min(this.latencyMs * 1000, MAX_WORD)
  }

  /** `ms`: mean loop time per request. */
  recordLoopTime(ms: number): void {
    this.row[rowWords.requestLoopUs] = Math.min(ms * 1000, MAX_WORD)
  }

  private end(): void {
    this.row[rowWords.inFlight] = this.count - 1
    this.ended++
  }
}
