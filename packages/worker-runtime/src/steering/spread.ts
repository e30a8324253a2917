// Decides which streams of HTTP/2 are spread over the workers of their pool, where a listener asks for it. It pays only for requests that keep the event
// loop busy, because each spread stream costs a question to the primary and perhaps a forward. So the loop time of each path is measured.

import { performance } from 'node:perf_hooks'
import type { Http2ListenerStart } from '../http2-start.ts'
import type { InFlight } from '../server/in-flight.ts'

/** Loop time of a request from which on it pays. */
const HEAVY_MS = 0.5
const POLL_MS = 100
const SMOOTHING = 0.3
/** Fewer requests say nothing, unless they keep the loop busy for the whole interval. */
const ENOUGH_REQUESTS = 4
/** All paths of a gRPC service. Further ones are judged by the mean of all requests. */
const MAX_PATHS = 512

/** What is known of the requests for one path. */
interface PathTime {
  /** Moving average; undefined: no turn of the loop with one of them has ended. */
  ms: number | undefined
  /** Those that the app got in the present turn. */
  begun: number
}

export class Spread {
  private readonly listeners: ReadonlySet<number>
  private readonly inFlight: InFlight
  private readonly paths = new Map<string, PathTime>()
  /** Paths with requests in this turn of the loop. */
  private readonly turn: PathTime[] = []
  private turnBegan = 0
  private begun = 0
  /** Mean loop time of all requests, which includes what they do in later turns; undefined until enough have ended. */
  private msPerRequest: number | undefined
  private ended = 0
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

  /** Does the listener ask for it? */
  isFor(listener: number): boolean {
    return this.listeners.has(listener)
  }

  /** May another worker serve a request for this target, although it could stay? */
  wants(target: string): boolean {
    const path = this.paths.get(pathOf(target))
    if (path !== undefined && path.ms === undefined) return true
    const ms = Math.max(path?.ms ?? 0, this.msPerRequest ?? 0)
    if (ms >= HEAVY_MS) return true
    // Of a new path the first request stays, and shows how long the next ones take.
    return path === undefined && this.paths.size < MAX_PATHS && this.inFlight.count > 0
  }

  /** The app gets a request for this target now. */
  record(target: string): void {
    const key = pathOf(target)
    let path = this.paths.get(key)
    if (path === undefined) {
      if (this.paths.size >= MAX_PATHS) return
      path = { ms: undefined, begun: 0 }
      this.paths.set(key, path)
    }
    if (this.begun++ === 0) {
      this.turnBegan = performance.now()
      setImmediate(this.onTurned)
    }
    if (path.begun++ === 0) this.turn.push(path)
  }

  /** The time since the first request of the turn, shared among its requests. */
  private readonly onTurned = (): void => {
    const ms = (performance.now() - this.turnBegan) / this.begun
    this.begun = 0
    for (const path of this.turn.splice(0)) {
      path.begun = 0
      path.ms = path.ms === undefined ? ms : path.ms + (ms - path.ms) * SMOOTHING
    }
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

function pathOf(target: string): string {
  const end = target.indexOf('?')
  return end === -1 ? target : target.slice(0, end)
}
