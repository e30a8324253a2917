// Spreads the streams of HTTP/2 connections over the workers, where a listener asks for it: a stream that comes while this worker has another request may be
// served by a worker that has fewer. It pays only for requests that keep the event loop busy, because each spread stream costs a question to the primary
// and a forward.

import type { Socket } from 'node:net'
import { performance } from 'node:perf_hooks'
import { carrierOf, listenerOf, tagUnderTls } from '@switchyard/handoff'
import type { Http2ListenerStart } from '../http2-start.ts'
import type { InFlight } from '../server/in-flight.ts'

/** Mean loop time of a request from which on it pays. */
const HEAVY_MS = 0.5
const POLL_MS = 100
const SMOOTHING = 0.3
/** Fewer requests say nothing, unless they keep the loop busy for the whole interval. */
const ENOUGH_REQUESTS = 4

export class Spread {
  private readonly listeners: ReadonlySet<number>
  private readonly inFlight: InFlight
  /** Undefined until enough requests have ended. Until then all but the first one of a turn are spread. */
  private msPerRequest: number | undefined
  private ended = 0
  /** A request that blocks the loop has ended before the next one of its turn begins. */
  private hadOne = false
  private readonly onTurned = () => {
    this.hadOne = false
  }
  private utilisation = performance.eventLoopUtilization()

  private constructor(listeners: ReadonlySet<number>, inFlight: InFlight) {
    this.listeners = listeners
    this.inFlight = inFlight
    setInterval(() => this.poll(), POLL_MS).unref()
  }

  /** Undefined: no listener asks for it. */
  static of(starts: readonly Http2ListenerStart[] | undefined, inFlight: InFlight): Spread | undefined {
    const listeners = new Set((starts ?? []).filter(({ spread }) => spread).map(({ listener }) => listener))
    return listeners.size === 0 ? undefined : new Spread(listeners, inFlight)
  }

  /** May another worker serve the request that begins on this socket, although it could stay? */
  wants(socket: Socket): boolean {
    if (carrierOf(socket) === undefined || (this.msPerRequest !== undefined && this.msPerRequest < HEAVY_MS)) return false
    const tag = tagUnderTls(socket)
    if (tag === undefined || !this.listeners.has(listenerOf(tag))) return false
    // The questions about further requests must not wait behind one that blocks the loop, so the first one of a turn is a question too.
    if (this.msPerRequest !== undefined || this.hadOne || this.inFlight.count > 0) return true
    this.hadOne = true
    setImmediate(this.onTurned)
    return false
  }

  private poll(): void {
    const now = performance.eventLoopUtilization()
    const { active } = performance.eventLoopUtilization(now, this.utilisation)
    const requests = this.inFlight.ended - this.ended
    if (requests < ENOUGH_REQUESTS && (active < POLL_MS || requests === 0)) return
    const isFirst = this.ended === 0
    this.utilisation = now
    this.ended = this.inFlight.ended
    // The first interval contains the start of the app and cold code.
    if (isFirst) return
    const ms = active / requests
    this.msPerRequest = this.msPerRequest === undefined ? ms : this.msPerRequest + (ms - this.msPerRequest) * SMOOTHING
  }
}
