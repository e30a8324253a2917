// Counts what has begun and is not finished in this worker, and how long it took.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { performance } from 'node:perf_hooks'
import type { Duplex } from 'node:stream'
import { MAX_WORD, type ResponseTimes, responseBoundsMs, rowWords } from '@switchyard/handoff'
import { OpenRequests, type Since } from './open-requests.ts'

const SMOOTHING = 0.1
/** One request in so many is timed: the average needs no more, and asking for the time twice is a good part of what counting costs. */
const TIMED_EVERY = 8
const OWN_WORDS = Object.keys(rowWords).length
const COUNTED = [rowWords.inFlight, rowWords.received]

/** Requests of one worker. An upgraded connection is in flight until it closes. */
export class InFlight {
  private row: Int32Array = new Int32Array(OWN_WORDS)
  /** Exponential moving average. */
  latencyMs = 0
  /** Since the start. */
  ended = 0
  private readonly counts: number[] = new Array(responseBoundsMs.length + 1).fill(0)
  private sumMs = 0
  private untilTimed = 0
  private loopIsBusy = () => {}
  private readonly onError: (response: ServerResponse) => void
  private readonly open = new OpenRequests((response, since) => this.endRequest(response, since))
  private readonly upgradeClosed = () => this.end()

  /** `onError`: is told of each response with a status of 400 and up that is over. */
  constructor(onError: (response: ServerResponse) => void = () => {}) {
    this.onError = onError
    // Nobody reads this one.
    this.row[rowWords.busySince] = 1
  }

  /** From now on the counts are kept where the primary reads them, and it is told when the loop begins to work. */
  publish(row: Int32Array, loopIsBusy: () => void): void {
    this.loopIsBusy = loopIsBusy
    for (const word of COUNTED) row[word] = this.row[word] as number
    this.row = row
  }

  /** Response times since the start. */
  get responses(): ResponseTimes {
    return { counts: [...this.counts], sumMs: this.sumMs }
  }

  /** Nothing has ended for a while: what is known of the latency grows old. */
  forgetLatency(): void {
    this.recordLatency(0)
  }

  /** Requests begun and not finished. */
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

  /** Those of them that the app failed. */
  get failed(): number {
    return (this.row[rowWords.failed] as number) >>> 0
  }

  countReceived(): void {
    // Not before it can be seen that the loop is busy with it.
    Atomics.store(this.row, rowWords.received, this.received + 1)
  }

  /** A request begins. A second call for the same response counts nothing: apps emit 'request' themselves after 'checkContinue'. */
  beginRequest(request: IncomingMessage, response: ServerResponse): void {
    if (OpenRequests.hasBegun(response)) return
    this.open.begin(request, response, this.since())
    this.begin()
  }

  beginUpgrade(socket: Duplex): void {
    socket.once('close', this.upgradeClosed)
    this.begin()
  }

  private begin(): void {
    this.row[rowWords.inFlight] = this.count + 1
    this.row[rowWords.begun] = (this.row[rowWords.begun] as number) + 1
    if (this.row[rowWords.busySince] === 0) this.loopIsBusy()
  }

  private since(): Since {
    if (this.untilTimed-- > 0) return true
    this.untilTimed = TIMED_EVERY - 1
    return performance.now()
  }

  private endRequest(response: ServerResponse | undefined, since: Since): void {
    if (since !== true) this.noteResponse(performance.now() - since)
    if (response !== undefined && (response.statusCode >= 400 || !response.writableEnded)) this.recordFailure(response)
    this.end()
  }

  private noteResponse(ms: number): void {
    let bucket = 0
    while (bucket < responseBoundsMs.length && ms > (responseBoundsMs[bucket] as number)) bucket++
    this.counts[bucket] = (this.counts[bucket] as number) + 1
    this.sumMs += ms
    this.recordLatency(ms)
  }

  /** Counts one that was answered with 5xx, or whose answer was broken off: by the app, unless its client has left or the line failed. */
  private recordFailure(response: ServerResponse): void {
    const { statusCode, writableEnded, socket } = response
    if (statusCode >= 400) this.onError(response)
    if (writableEnded && statusCode < 500) return
    if (!writableEnded && statusCode < 500 && (socket === null || socket.readableEnded || socket.errored !== null)) return
    this.row[rowWords.failed] = this.failed + 1
  }

  private recordLatency(ms: number): void {
    this.latencyMs += (ms - this.latencyMs) * SMOOTHING
    this.row[rowWords.latencyUs] = Math.min(this.latencyMs * 1000, MAX_WORD)
  }

  /** Of the loop, for each request, on the average. */
  recordLoopTime(ms: number): void {
    this.row[rowWords.requestLoopUs] = Math.min(ms * 1000, MAX_WORD)
  }

  private end(): void {
    this.row[rowWords.inFlight] = this.count - 1
    this.ended++
  }
}
