// Finds the requests that keep this worker's event loop from turning. Nothing is computed for a request that is quick, or that is slow while the
// loop turns: a slow request ends, and only if the timer of the load reports is overdue then, the loop has been blocked.
//
// How long the request blocked is the least of three times: its own duration; the time that the loop was busy since the last tick of that timer;
// and the time since the request before it ended in the same turn. A request counts only if the process has computed since then: one that waits
// for a processor is not to blame.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { performance } from 'node:perf_hooks'
import { type BlockingPath, MAX_BLOCKING_PATHS } from '../observation-messages.ts'
import { pathShape, siblingsOf } from './path-shape.ts'

/** A shorter request is not looked at. */
export const SLOW_MS = 50
/** The timer fires so late at least when the loop was blocked. */
const OVERDUE_MS = 25
const TICK_MS = 100
const MAX_OTHER_PATHS = 64
/** So many paths below the same parent become one. */
const MAX_SIBLINGS = 4

interface Counts {
  readonly method: string
  readonly path: string
  requests: number
  blockedMs: number
  sampled: number
}

/** What is read of the process. Tests pass their own. */
export interface LoopClock {
  /** Milliseconds. */
  now(): number
  /** Time that the loop has waited for work, in all. */
  idleMs(): number
  /** Processor time of the process, in all. */
  cpuMs(): number
}

const processClock: LoopClock = {
  now: () => performance.now(),
  idleMs: () => performance.eventLoopUtilization().idle,
  cpuMs() {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1000
  },
}

interface Tick {
  readonly atMs: number
  readonly idleMs: number
  readonly cpuMs: number
}

export class BlockingRequests {
  private readonly clock: LoopClock
  private readonly byShape = new Map<string, Counts>()
  private readonly others = new Set<string>()
  private tick: Tick
  private lastEndMs = 0
  private lastBegun: ServerResponse | undefined
  private lastBeginMs = 0
  sampled = 0

  constructor(clock: LoopClock = processClock) {
    this.clock = clock
    this.tick = this.readTick()
  }

  /** Has a request blocked? Then further ones are sampled. */
  get isSampling(): boolean {
    return this.byShape.size > 0
  }

  get list(): BlockingPath[] {
    return [...this.byShape.values()].map((counts) => ({ ...counts, blockedMs: Math.round(counts.blockedMs) }))
  }

  get otherPaths(): number {
    return this.others.size
  }

  /** The request is the last one that began so far. */
  begin(response: ServerResponse, atMs: number): void {
    this.lastBegun = response
    this.lastBeginMs = atMs
  }

  /** A request with a duration of SLOW_MS or more has ended. */
  end({ req: request }: ServerResponse, ms: number): void {
    const nowMs = this.clock.now()
    if (nowMs < this.tick.atMs + TICK_MS + OVERDUE_MS) return
    const sinceLastMs = nowMs - this.lastEndMs
    this.lastEndMs = nowMs
    this.record(request, Math.min(ms, sinceLastMs, this.busyMs(nowMs)))
  }

  /** The timer of the load reports has fired. A request that blocked and then waits for something has not ended. */
  onTick(): void {
    const nowMs = this.clock.now()
    const { lastBegun, lastBeginMs, tick } = this
    const isLate = nowMs >= tick.atMs + TICK_MS + SLOW_MS
    if (isLate && lastBegun !== undefined && lastBeginMs >= tick.atMs && this.lastEndMs < lastBeginMs && isOpen(lastBegun))
      this.record(lastBegun.req, Math.min(nowMs - lastBeginMs, this.busyMs(nowMs)))
    this.lastBegun = undefined
    this.tick = this.readTick()
  }

  /** One request in eight, while `isSampling`. */
  sample(request: IncomingMessage): void {
    this.sampled++
    const shape = pathShape(request.url ?? '/')
    const counts = this.find(request.method ?? '', shape)
    if (counts !== undefined) counts.sampled++
    else if (this.others.size < MAX_OTHER_PATHS) this.others.add(shape)
  }

  private record(request: IncomingMessage, ms: number): void {
    if (ms < SLOW_MS || this.clock.cpuMs() - this.tick.cpuMs < SLOW_MS) return
    const { method = '', url = '/' } = request
    const shape = pathShape(url)
    const counts = this.find(method, shape) ?? this.add(method, shape)
    if (counts === undefined) return
    counts.requests++
    counts.blockedMs += ms
    this.others.delete(shape)
  }

  private busyMs(nowMs: number): number {
    return nowMs - this.tick.atMs - (this.clock.idleMs() - this.tick.idleMs)
  }

  private find(method: string, shape: string): Counts | undefined {
    const known = this.byShape.get(`${method} ${shape}`)
    if (known !== undefined) return known
    const siblings = siblingsOf(shape)
    return siblings === undefined ? undefined : this.byShape.get(`${method} ${siblings}`)
  }

  private add(method: string, shape: string): Counts | undefined {
    const counts: Counts = { method, path: shape, requests: 0, blockedMs: 0, sampled: 0 }
    const siblings = siblingsOf(shape)
    const like =
      siblings === undefined ? [] : [...this.byShape].filter(([, one]) => one.method === method && siblingsOf(one.path) === siblings)
    if (siblings === undefined || like.length + 1 < MAX_SIBLINGS) {
      if (this.byShape.size >= MAX_BLOCKING_PATHS) return undefined
      this.byShape.set(`${method} ${shape}`, counts)
      return counts
    }
    const merged = { ...counts, path: siblings }
    for (const [key, one] of like) {
      this.byShape.delete(key)
      merged.requests += one.requests
      merged.blockedMs += one.blockedMs
      merged.sampled += one.sampled
    }
    this.byShape.set(`${method} ${siblings}`, merged)
    return merged
  }

  private readTick(): Tick {
    return { atMs: this.clock.now(), idleMs: this.clock.idleMs(), cpuMs: this.clock.cpuMs() }
  }
}

function isOpen({ writableFinished, destroyed }: ServerResponse): boolean {
  return !writableFinished && !destroyed
}
