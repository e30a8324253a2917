// Ends HTTP/2 in front of the app's plain server, in the worker. Each stream becomes a request over an in-process HTTP/1.1 connection, so the app and
// its framework work unmodified. Loaded only in workers with a listener that asks for it.

import { performServerHandshake, type ServerHttp2Session, type ServerOptions } from 'node:http2'
import type { Server, Socket } from 'node:net'
import { listenerOf, tagOf, tagUnderTls } from '@switchyard/handoff'
import type { Http2ListenerStart } from '../http2-start.ts'
import type { Http2Sessions } from '../server/http2-sessions.ts'
import { Http2Counts } from './http2-counts.ts'
import { type Announce, Session, type SteerStream } from './http2-session.ts'

/** Node's own limit of what a session holds in memory. */
const NODES_MEMORY_MB = 10
/** Of all streams together. Node takes what comes into memory at once, so the windows of the streams are the bound. */
const SESSION_WINDOW_BYTES = 2 ** 20
/** Far more than browsers send, which split cookies into many fields. */
const MAX_FIELDS = 1000

/** Sessions are polled this often, and less often where one worker has thousands. */
const POLL_MS = 100
const SESSIONS_PER_POLL = 500

/** A connection of a client, or one between two workers that carries the streams of a client. */
export interface Http2Connection {
  readonly connection: Socket
  readonly server: Server
  readonly announce: Announce
  /** Of a connection between workers, which has no tag. */
  readonly listener?: number
}

export class Http2Termination {
  private readonly listeners: ReadonlyMap<number, Http2ListenerStart>
  private readonly sessions: Http2Sessions
  private readonly steer: SteerStream | undefined
  private readonly own = new Set<Session>()
  readonly counts = new Http2Counts()
  private timer: NodeJS.Timeout | undefined
  private polls = 0

  /** `steer` undefined: every stream stays. */
  constructor(listeners: readonly Http2ListenerStart[], sessions: Http2Sessions, steer: SteerStream | undefined) {
    this.listeners = new Map(listeners.map((start) => [start.listener, start] as const))
    this.sessions = sessions
    this.steer = steer
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
    if (start === undefined) return void connection.destroy()
    connection.on('error', ignore)
    // A client that ends its side takes its streams along, as in Node's own server. One of HTTP/1.1 may wait for its answer.
    connection.allowHalfOpen = false
    const session = performServerHandshake(connection, optionsOf(start)) as ServerHttp2Session
    session.setLocalWindowSize(SESSION_WINDOW_BYTES)
    const own = new Session(session, connection, start, announce, this.steer, this.counts)
    this.own.add(own)
    this.counts.sessions++
    this.timer ??= setInterval(() => this.poll(performance.now()), POLL_MS).unref()
    session.once('close', () => this.forget(own))
    this.sessions.add(session, (answerMs) => own.close('drain', answerMs), server)
  }

  private forget(own: Session): void {
    this.own.delete(own)
    this.counts.sessions--
    if (this.own.size > 0) return
    clearInterval(this.timer)
    this.timer = undefined
  }

  private poll(nowMs: number): void {
    if (++this.polls % Math.ceil(this.own.size / SESSIONS_PER_POLL) === 0) for (const one of this.own) one.poll(nowMs)
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
