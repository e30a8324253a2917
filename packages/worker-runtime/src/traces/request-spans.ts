// Spans for the way of a request to its worker: its wait in the queue, its hand-off, its forward. They are children of the request's own span, which
// the app's instrumentation begins when the server gets the request. Their times lie before that.

import type { IncomingMessage } from 'node:http'
import type { Server, Socket } from 'node:net'
import { elapsedMs, type HandOffFacts, handedSocket, isHeadComplete, isMoved, monotonicUs, takeHandOff, waitOf } from '@switchyard/handoff'
import { forwardBeganUs } from '../forward/forwarded.ts'
import { type OpenTelemetry, openTelemetry, type Span } from '../open-telemetry.ts'

const TRACER = 'switchyard'
/** Under this key a context has its span. */
const SPAN = Symbol.for('OpenTelemetry Context Key SPAN')

type Attributes = Readonly<Record<string, string | number | boolean>>

/** A part of the way, from `fromMs` before the request began until `untilMs` before. */
interface Part {
  readonly name: 'switchyard.queue' | 'switchyard.hand_off' | 'switchyard.forward'
  readonly fromMs: number
  readonly untilMs: number
  readonly attributes?: Attributes
}

const NO_PARTS: readonly Part[] = []

export interface RequestSpansOptions {
  readonly pool: string
  readonly slot: number
  /** The hand-off that brought the request; undefined: none did. */
  readonly handOffOf?: (request: IncomingMessage) => HandOffFacts | undefined
}

export class RequestSpans {
  /** Has the app's OpenTelemetry been seen? Every request reads it. */
  isOn = false
  private readonly attributes: Attributes
  private readonly handOffOf: NonNullable<RequestSpansOptions['handOffOf']>
  /** The requests of hand-offs that were offered before it was seen are over. */
  private sinceUs = 0
  /** When this worker took the connections whose first request comes later: after a handshake, or in a stream of HTTP/2. */
  private readonly takenUs = new WeakMap<Socket, number>()

  constructor({ pool, slot, handOffOf = ({ socket }) => takeHandOff(handedSocket(socket)) }: RequestSpansOptions) {
    this.handOffOf = handOffOf
    this.attributes = { 'switchyard.pool': pool, 'switchyard.slot': slot }
  }

  /** A connection comes. An app may register its OpenTelemetry at any time. `offeredUs`: when the primary offered it; left out: another worker opens it. */
  poll(offeredUs?: number): void {
    if (this.isOn || openTelemetry()?.trace === undefined) return
    this.isOn = true
    this.sinceUs = offeredUs ?? monotonicUs()
  }

  /** The worker has such a connection. What its client does then is no part of the hand-off. */
  onTaken(socket: Socket): void {
    if (this.isOn) this.takenUs.set(socket, monotonicUs())
  }

  /**
   * The server is about to emit 'request'. Records the spans in a listener before the app's own, where the request's span is the active one. Call the
   * returned function afterwards; undefined: there is nothing to record.
   */
  prepare(server: Server, request: IncomingMessage): (() => void) | undefined {
    const way = this.wayOf(request)
    if (way.length === 0) return undefined
    const nowMs = performance.timeOrigin + performance.now()
    const listener = (emitted: unknown): void => {
      if (emitted !== request) return
      remove()
      this.record(way, nowMs)
    }
    const remove = (): void => void server.off('request', listener)
    server.prependListener('request', listener)
    return remove
  }

  private wayOf(request: IncomingMessage): readonly Part[] {
    const beganUs = forwardBeganUs(request)
    if (beganUs !== undefined) {
      const fromMs = elapsedMs(beganUs, monotonicUs())
      return fromMs === undefined ? NO_PARTS : [{ name: 'switchyard.forward', fromMs, untilMs: 0 }]
    }
    const handOff = this.handOffOf(request)
    return handOff === undefined ? NO_PARTS : this.partsOf(handOff, this.takenUs.get(handedSocket(request.socket)))
  }

  /** `takenUs`: undefined if the request began as soon as the worker had the connection. */
  private partsOf({ tag, offeredUs }: HandOffFacts, takenUs: number | undefined): readonly Part[] {
    if (elapsedMs(this.sinceUs, offeredUs) === undefined) return NO_PARTS
    const offeredMs = elapsedMs(offeredUs, monotonicUs())
    // Without a complete head at the hand-off, the time of the client would count.
    const untilMs = takenUs === undefined ? 0 : elapsedMs(takenUs, monotonicUs())
    if (offeredMs === undefined || untilMs === undefined || (takenUs === undefined && !isHeadComplete(tag))) return NO_PARTS
    const waitMs = waitOf(tag)
    const last: Part = { name: 'switchyard.hand_off', fromMs: offeredMs, untilMs, attributes: { 'switchyard.moved': isMoved(tag) } }
    return waitMs === 0 ? [last] : [{ name: 'switchyard.queue', fromMs: offeredMs + waitMs, untilMs: offeredMs }, last]
  }

  private record(way: readonly Part[], nowMs: number): void {
    try {
      this.recordIn(openTelemetry(), way, nowMs)
    } catch {
      // A fault of the app's telemetry must not fail its requests.
    }
  }

  private recordIn(api: OpenTelemetry | undefined, way: readonly Part[], nowMs: number): void {
    const context = api?.context?.active()
    const own = context?.getValue(SPAN) as Span | undefined
    // Without instrumentation of HTTP there is no span, and one that is not sampled has no children.
    if (api?.trace === undefined || context === undefined || own?.isRecording() !== true) return
    const tracer = api.trace.getTracer(TRACER)
    for (const { name, fromMs, untilMs, attributes } of way) {
      const options = { startTime: nowMs - fromMs, attributes: { ...this.attributes, ...attributes } }
      tracer.startSpan(name, options, context).end(nowMs - untilMs)
    }
  }
}
