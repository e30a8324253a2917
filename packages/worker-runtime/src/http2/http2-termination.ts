// Ends HTTP/2 in front of the app's plain server, in the worker. Each stream becomes a request over an in-process HTTP/1.1 connection, so the app and
// its framework work unmodified. Loaded only in workers with a listener that asks for it.

import { performServerHandshake, type ServerHttp2Session, type ServerOptions } from 'node:http2'
import type { Server, Socket } from 'node:net'
import { listenerOf, tagOf, tagUnderTls } from '@switchyard/handoff'
import type { Http2ListenerStart } from '../http2-start.ts'
import type { Http2Sessions } from '../server/http2-sessions.ts'
import type { CutReports } from './cut-reports.ts'
import { Http2Counts } from './http2-counts.ts'
import { type Announce, Session, type SteerStream } from './http2-session.ts'
import { SessionStarts } from './session-starts.ts'
import { StreamStarts } from './stream-starts.ts'

/** Node's own limit of what a session holds in memory. */
const NODES_MEMORY_MB = 10
/** Of all streams together. Node takes what comes into memory at once, so the windows of the streams are the bound. */
const SESSION_WINDOW_BYTES = 2 ** 20
/** Far more than browsers send, which split cookies into many fields. */
const MAX_FIELDS = 1000

/** So many sessions are polled each time. Where one worker has thousands, each is polled less often. */
const POLL_MS = 100
const SESSIONS_PER_POLL = 500
/** Idle connections that are ended at one poll, where there are too many, and those that are looked at for them. */
const ENDED_PER_POLL = 20
const MAX_LOOKED_AT = 200
/** So many times as many connections as may be idle, and new ones are closed. */
const MAX_EXCESS = 2

/** A connection of a client, or one between two workers that carries the streams of a client. */
export interface Http2Connection {
  readonly connection: Socket
  readonly server: Server
  readonly announce: Announce
  /** Of a connection between workers, which has no tag. */
  readonly listener?: number
}

export interface Http2TerminationOptions {
  readonly listeners: readonly Http2ListenerStart[]
  readonly sessions: Http2Sessions
  /** Undefined: every stream stays. */
  readonly steer: SteerStream | undefined
  readonly cuts: Pick<CutReports, 'record'>
}

export class Http2Termination {
  private readonly options: Http2TerminationOptions
  private readonly listeners: ReadonlyMap<number, Http2ListenerStart>
  /** In the order in which they were last looked at. */
  private readonly own = new Set<Session>()
  private readonly starts = new StreamStarts()
  private readonly sessionStarts = new SessionStarts()
  /** The least of the listeners counts. */
  private readonly maxIdle: number
  readonly counts = new Http2Counts()
  private timer: NodeJS.Timeout | undefined
  private polled: Iterator<Session> | undefined

  constructor(options: Http2TerminationOptions) {
    this.options = options
    this.listeners = new Map(options.listeners.map((start) => [start.listener, start] as const))
    this.maxIdle = Math.min(...options.listeners.map(({ maxIdleConnections }) => maxIdleConnections))
  }

  /** Does HTTP/2 on a connection with this tag end here? */
  isFor(tag: number): boolean {
    return this.listeners.has(listenerOf(tag))
  }

  /** Takes a connection whose client speaks HTTP/2. The app learns of its streams. */
  accept({ connection, server, announce, listener }: Http2Connection): void {
    const tag = tagOf(connection) ?? tagUnderTls(connection)
    const number = tag === undefined ? listener : listenerOf(tag)
    const start = number === undefined ? undefined : this.listeners.get(number)
    if (start === undefined || this.own.size >= this.maxIdle * MAX_EXCESS) return void connection.destroy()
    connection.on('error', ignore)
    // A client that ends its side takes its streams along, as in Node's own server. One of HTTP/1.1 may wait for its answer.
    connection.allowHalfOpen = false
    const { starts, counts } = this
    const { steer, sessions, cuts } = this.options
    const session = performServerHandshake(connection, optionsOf(start)) as ServerHttp2Session
    session.setLocalWindowSize(SESSION_WINDOW_BYTES)
    const isOfClient = tag !== undefined
    const onCut: ConstructorParameters<typeof Session>[2]['onCut'] = (reason) => {
      if (isOfClient) cuts.record(start.listener, connection, reason)
    }
    const own = new Session(session, connection, { start, announce, steer, starts, counts, onCut })
    this.sessionStarts.add(connection)
    this.own.add(own)
    counts.sessions++
    this.timer ??= setInterval(() => this.poll(performance.now()), POLL_MS).unref()
    session.once('close', () => this.forget(own))
    sessions.add(session, (answerMs) => own.close('drain', answerMs), server)
  }

  /** Ends some of the oldest connections that have no stream. */
  private endIdle(): void {
    let looks = MAX_LOOKED_AT
    let ends = ENDED_PER_POLL
    for (const one of this.own) {
      if (looks-- === 0 || ends === 0) return
      if (one.endIfIdle()) ends--
      // The next look begins behind it.
      this.own.delete(one)
      this.own.add(one)
    }
  }

  private forget(own: Session): void {
    this.own.delete(own)
    this.counts.sessions--
    if (this.own.size > 0) return
    clearInterval(this.timer)
    this.timer = undefined
    this.polled = undefined
  }

  private poll(nowMs: number): void {
    const { own } = this
    if (own.size > this.maxIdle) this.endIdle()
    for (let left = Math.min(own.size, SESSIONS_PER_POLL); left > 0; left--) {
      this.polled ??= own.values()
      const { value, done } = this.polled.next()
      if (done === true) this.polled = undefined
      else value.poll(nowMs)
    }
  }
}

function optionsOf({ maxConcurrentStreams, maxHeaderListBytes, windowBytes }: Http2ListenerStart): ServerOptions {
  return {
    settings: { maxConcurrentStreams, maxHeaderListSize: maxHeaderListBytes, initialWindowSize: windowBytes, enableConnectProtocol: true },
    maxHeaderListPairs: MAX_FIELDS,
    // Above it Node resets new streams. What the windows allow must fit.
    maxSessionMemory: NODES_MEMORY_MB + Math.ceil((maxConcurrentStreams * windowBytes) / 2 ** 20),
  } as ServerOptions
}

function ignore(): void {}
