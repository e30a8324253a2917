// One upstream server as a proxy worker sees it: a candidate of the pool's policy, with its load, its failures and its ejections.

import { type Candidate, idleLoad, type Load, type SlowStart, slowStartShare } from '@switchyard/routing'
import type { ServerReport, ServerState } from '../../upstream-messages.ts'
import type { UpstreamStart, UpstreamTarget } from '../../upstream-start.ts'
import { UpstreamConnections } from '../connection/connections.ts'

/** Weight of a new response time in the moving average. */
const SMOOTHING = 0.1
const MAX_EJECTION_MS = 300_000
/** After this time without an ejection the next one is short again. */
const FORGIVEN_MS = 300_000

type ServerOptions = Pick<
  UpstreamStart,
  | 'maxConnections'
  | 'maxFailures'
  | 'ejectionMs'
  | 'slowStart'
  | 'connectTimeoutMs'
  | 'idleTimeoutMs'
  | 'responseTimeoutMs'
  | 'ca'
  | 'drainTimeoutMs'
>

export class UpstreamServer implements Candidate {
  readonly slot: number
  readonly generation: number
  readonly connections: UpstreamConnections
  readonly load: Load
  inFlight = 0
  latencyMs = 0
  requests = 0
  failures = 0
  lastFailure: string | undefined
  /** As the primary has told it last. */
  address: UpstreamTarget
  private readonly options: ServerOptions
  private readonly now: () => number
  private failuresInRow = 0
  private ejections = 0
  private ejectedUntil = Number.NEGATIVE_INFINITY
  /** Until then one request tries the server after an ejection, and others stay away. */
  private triesUntil = Number.NEGATIVE_INFINITY
  /** Upgraded connections. They are in flight, but take no room from requests. */
  private tunnels = 0
  private probedDown = false
  /** When it came back. */
  private upSince = Number.NEGATIVE_INFINITY
  /** Its drain, until its requests are cut off. */
  private cutTimer: NodeJS.Timeout | undefined
  private isDraining = false

  constructor(target: UpstreamTarget, options: ServerOptions, now: () => number) {
    this.slot = target.slot
    this.generation = target.generation
    this.address = target
    this.options = options
    this.now = now
    this.connections = new UpstreamConnections(target, options)
    this.load = loadOf(this)
  }

  get seatWeight(): number {
    return this.address.weight
  }

  get weight(): number {
    const { slowStart } = this.options
    return slowStart === undefined ? this.seatWeight : this.seatWeight * this.share(slowStart)
  }

  get hasRoom(): boolean {
    return this.inFlight - this.tunnels < this.options.maxConnections
  }

  get state(): ServerState {
    if (this.isDraining) return 'draining'
    if (this.probedDown) return 'down'
    const now = this.now()
    return now < this.ejectedUntil || now < this.triesUntil ? 'ejected' : 'up'
  }

  begin(): void {
    this.inFlight++
    this.requests++
    if (this.failuresInRow >= this.options.maxFailures) this.triesUntil = this.now() + this.options.ejectionMs
  }

  /** Its answer has begun after this time. */
  succeed(ms: number): void {
    this.latencyMs = this.latencyMs === 0 ? ms : this.latencyMs + SMOOTHING * (ms - this.latencyMs)
    if (this.failuresInRow >= this.options.maxFailures) this.upSince = this.now()
    this.triesUntil = Number.NEGATIVE_INFINITY
    this.failuresInRow = 0
  }

  /** It could not be reached, or broke off before an answer. True: it is ejected now. */
  fail(reason: string): boolean {
    const now = this.now()
    this.failures++
    this.lastFailure = reason
    this.triesUntil = Number.NEGATIVE_INFINITY
    this.failuresInRow++
    if (this.failuresInRow < this.options.maxFailures || now < this.ejectedUntil) return false
    if (now - this.ejectedUntil > FORGIVEN_MS) this.ejections = 0
    this.ejections++
    this.ejectedUntil = now + Math.min(MAX_EJECTION_MS, this.options.ejectionMs * this.ejections)
    this.connections.forgetIdle()
    return true
  }

  end(): void {
    this.inFlight--
  }

  /** A request in flight has become a websocket. */
  becomeTunnel(): void {
    this.tunnels++
  }

  endTunnel(): void {
    this.tunnels--
  }

  /** What probes say. True: that is news. */
  onProbe(isUp: boolean): boolean {
    if (this.probedDown === !isUp) return false
    this.probedDown = !isUp
    if (isUp) this.upSince = this.now()
    else this.connections.forgetIdle()
    return true
  }

  /** It gets nothing new. What is in flight may end by itself, for a while. `onCut`: requests and websockets were cut off. */
  drain(onCut: (count: number) => void): void {
    if (this.isDraining) return
    this.isDraining = true
    this.connections.close()
    const cut = () => {
      const { inFlight } = this
      this.connections.cut()
      if (inFlight > 0) onCut(inFlight)
    }
    this.cutTimer = setTimeout(cut, this.options.drainTimeoutMs)
    this.cutTimer.unref()
  }

  /** It gets requests again. */
  resume(): void {
    if (!this.isDraining) return
    this.isDraining = false
    clearTimeout(this.cutTimer)
    this.connections.reopen()
    this.forgive()
  }

  /** Its failures are forgotten, and its connections are made anew. */
  forgive(): void {
    this.failuresInRow = 0
    this.ejections = 0
    this.ejectedUntil = Number.NEGATIVE_INFINITY
    this.triesUntil = Number.NEGATIVE_INFINITY
    this.upSince = this.now()
    this.connections.forgetIdle()
  }

  get report(): ServerReport {
    const { slot, generation, state, inFlight, latencyMs, requests, failures, lastFailure } = this
    return { ...{ slot, generation, state, inFlight, latencyMs, requests, failures, lastFailure }, connections: this.connections.openCount }
  }

  private share(slowStart: SlowStart): number {
    return slowStartShare(this.now() - this.upSince, slowStart)
  }
}

/** A server's event loop is not known, so it always counts as free. */
function loadOf(server: UpstreamServer): Load {
  return {
    ...idleLoad,
    get inFlight() {
      return server.inFlight
    },
    get connections() {
      return server.inFlight
    },
    get latencyMs() {
      return server.latencyMs
    },
  }
}
