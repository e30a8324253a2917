// One upstream server as a proxy worker sees it: a candidate of the pool's policy, with its load, its failures and its ejections.

import { type Candidate, idleLoad, type Load, type SlowStart, slowStartShare } from '@switchyard/routing'
import type { UpstreamAddress, UpstreamStart } from '../upstream-start.ts'
import { UpstreamConnections } from './connections.ts'

/** Weight of a new response time in the moving average. */
const SMOOTHING = 0.1
const MAX_EJECTION_MS = 300_000
/** After this time without an ejection the next one is short again. */
const FORGIVEN_MS = 300_000

export type ServerState = 'up' | 'ejected' | 'down'

type ServerOptions = Pick<
  UpstreamStart,
  | 'maxConnections'
  | 'maxFailures'
  | 'ejectionMs'
  | 'slowStart'
  | 'weights'
  | 'connectTimeoutMs'
  | 'idleTimeoutMs'
  | 'responseTimeoutMs'
  | 'ca'
>

export class UpstreamServer implements Candidate {
  readonly slot: number
  readonly generation = 0
  readonly address: UpstreamAddress
  readonly connections: UpstreamConnections
  readonly load: Load
  readonly seatWeight: number
  inFlight = 0
  latencyMs = 0
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

  constructor(address: UpstreamAddress, slot: number, options: ServerOptions, now: () => number) {
    this.slot = slot
    this.address = address
    this.options = options
    this.now = now
    this.seatWeight = options.weights[slot] ?? 1
    this.connections = new UpstreamConnections(address, options)
    this.load = loadOf(this)
  }

  get weight(): number {
    const { slowStart } = this.options
    return slowStart === undefined ? this.seatWeight : this.seatWeight * this.share(slowStart)
  }

  get hasRoom(): boolean {
    return this.inFlight - this.tunnels < this.options.maxConnections
  }

  get state(): ServerState {
    if (this.probedDown) return 'down'
    const now = this.now()
    return now < this.ejectedUntil || now < this.triesUntil ? 'ejected' : 'up'
  }

  begin(): void {
    this.inFlight++
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
  fail(): boolean {
    const now = this.now()
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
