// Decides which streams of HTTP/2 are spread over the workers of their pool, where a listener or a route asks for it. It pays only for requests that keep the event
// loop busy, because each spread stream costs a question to the primary and perhaps a forward. So the loop time of each path is measured.

import { performance } from 'node:perf_hooks'
import type { Http2ListenerStart } from '../http2-start.ts'
import type { WorkerRoute } from '../protocol.ts'
import type { InFlight } from '../server/requests/in-flight.ts'
import { runDelayMs } from './run-delay.ts'

/** Loop time of a request from which on it pays. A forward takes about a third of that in each of the two workers. */
const HEAVY_MS = 1
const POLL_MS = 100
const SMOOTHING = 0.3
/** Other work in a turn, and other processes on a full machine, make light requests look heavy, but nothing makes heavy ones look light. */
const FALLING = 0.5
const RISING = 0.1
/** Of a mean that can't be measured now. So a path whose requests do their work in later turns is measured anew after two seconds. */
const FADING = 0.9
/** Fewer requests say nothing, unless they keep the loop busy for the whole interval. */
const ENOUGH_REQUESTS = 4
/** All paths of a gRPC service. Further ones are judged by the mean of all requests. */
const MAX_PATHS = 512

/** What is known of the requests for one path. Both times are moving averages of the loop time of a request. */
interface PathTime {
  /** In the turn of the loop in which the app gets it; undefined: no such turn has ended. */
  turnMs: number | undefined
  /** Of all requests, in the intervals with this path: it includes what they do in later turns. */
  meanMs: number
  /** Those that the app got in the present turn. */
  begun: number
}

/** A route to the pool of this worker. */
export type SpreadRoute = Pick<WorkerRoute, 'spread'>

export class Spread {
  private readonly inFlight: InFlight
  private readonly paths = new Map<string, PathTime>()
  /** Stands for the paths that the table has no room for. */
  private readonly others: PathTime = { turnMs: 0, meanMs: 0, begun: 0 }
  /** Paths with requests in this turn of the loop, and in this interval. */
  private readonly turn: PathTime[] = []
  private readonly interval = new Set<PathTime>()
  private turnBegan = 0
  private begun = 0
  private ended = 0
  /** Streams of this interval that the primary was asked about. */
  private spread = 0
  private utilisation = performance.eventLoopUtilization()
  private delayMs = runDelayMs()
  /** The part of the loop's busy time in which this process had a processor. On a full machine every request takes long. */
  private share = 1

  private constructor(inFlight: InFlight) {
    this.inFlight = inFlight
    setInterval(() => this.poll(), POLL_MS).unref()
  }

  /** Undefined: no listener with HTTP/2 asks for it, and no route to this pool. */
  static of(starts: readonly Http2ListenerStart[] = [], routes: readonly SpreadRoute[], inFlight: InFlight): Spread | undefined {
    const isAsked = starts.some(({ spread }) => spread) || (starts.length > 0 && routes.some(({ spread }) => spread === true))
    return isAsked ? new Spread(inFlight) : undefined
  }

  /** May another worker serve a request for this target, although it could stay? */
  wants(target: string): boolean {
    const path = this.paths.get(pathOf(target)) ?? (this.paths.size < MAX_PATHS ? undefined : this.others)
    // Of a new path the first request stays, and shows how long the next ones take. Until it has shown that, they may take long.
    const isWanted =
      path === undefined
        ? this.inFlight.count > 0
        : path.turnMs === undefined || Math.max(path.turnMs * this.share, path.meanMs) >= HEAVY_MS
    if (isWanted) this.spread++
    if (isWanted && path !== undefined) this.interval.add(path)
    return isWanted
  }

  /** The app gets a request for this target now. */
  record(target: string): void {
    const path = this.pathFor(pathOf(target))
    this.interval.add(path)
    if (this.begun++ === 0) {
      this.turnBegan = performance.now()
      setImmediate(this.onTurned)
    }
    if (path.begun++ === 0) this.turn.push(path)
  }

  private pathFor(key: string): PathTime {
    const known = this.paths.get(key)
    if (known !== undefined) return known
    if (this.paths.size >= MAX_PATHS) return this.others
    const path = { turnMs: undefined, meanMs: 0, begun: 0 }
    this.paths.set(key, path)
    return path
  }

  /** The time since the first request of the turn, shared among its requests. */
  private readonly onTurned = (): void => {
    const ms = (performance.now() - this.turnBegan) / this.begun
    this.begun = 0
    for (const path of this.turn.splice(0)) {
      path.begun = 0
      if (path.turnMs === undefined) path.turnMs = ms
      else path.turnMs += (ms - path.turnMs) * (ms < path.turnMs ? FALLING : RISING)
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
    // The first interval contains the start of the app and cold code. Streams that were forwarded kept the loop busy too, for an unknown time.
    const saysLittle = isFirst || this.spread > requests / 4
    const delayMs = runDelayMs()
    const runMs = Math.max(0, active - (delayMs - this.delayMs))
    this.delayMs = delayMs
    this.share += (runMs / Math.max(active, 1) - this.share) * SMOOTHING
    const ms = runMs / requests
    for (const path of this.interval) path.meanMs = saysLittle ? path.meanMs * FADING : path.meanMs + (ms - path.meanMs) * SMOOTHING
    this.spread = 0
    this.interval.clear()
  }
}

function pathOf(target: string): string {
  const end = target.indexOf('?')
  return end === -1 ? target : target.slice(0, end)
}
