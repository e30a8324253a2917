// The streams of one server of the app that speaks HTTP/2 itself: each is steered before the app has it, and counted like a request.

import type { Http2Session, IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import type { Server, Socket } from 'node:net'
import type { AccessLog } from '../access-log/access-log.ts'
import type { SteerStream } from '../http2/http2-session.ts'
import type { InFlight } from '../server/requests/in-flight.ts'
import { requestOf } from '../server/requests/stream-request.ts'

export interface OwnStreamsOptions {
  readonly server: Server
  readonly inFlight: InFlight
  /** Undefined: there is no access log. */
  readonly accessLog: AccessLog | undefined
  /** Undefined: every stream stays. */
  readonly steer: SteerStream | undefined
}

/** The values of a server's event 'stream'. */
export type StreamEvent = [stream: ServerHttp2Stream, parsed: IncomingHttpHeaders, flags: number, raw: string[]]

/** Does the server speak HTTP/2 itself? Node does not export the classes of such servers. */
export function speaksHttp2Itself(server: Server): boolean {
  return 'updateSettings' in server
}

export class OwnStreams {
  private readonly options: OwnStreamsOptions
  /** Node's `session.socket` is a stand-in, which throws when the session has ended. */
  private readonly sockets = new WeakMap<Http2Session, Socket>()

  constructor(options: OwnStreamsOptions) {
    this.options = options
  }

  /** A session has begun on the connection that is being announced. */
  addSession(session: Http2Session, socket: Socket): void {
    this.sockets.set(session, socket)
  }

  /** A stream has begun. `give`: emits the server's event. */
  take([stream, parsed, flags, raw]: StreamEvent, give: () => void): void {
    const socket = stream.session && this.sockets.get(stream.session)
    const begin = (): void => {
      this.count(stream, parsed, raw, socket)
      give()
    }
    const { steer } = this.options
    if (steer === undefined || socket === undefined || stream.destroyed || stream.closed) return begin()
    steer(stream, { parsed, flags, raw }, begin, socket)
  }

  /** A server with listeners for 'request' gives each stream to the app as a request, which is counted then. */
  private count(stream: ServerHttp2Stream, parsed: IncomingHttpHeaders, raw: readonly string[], socket: Socket | undefined): void {
    const { server, inFlight, accessLog } = this.options
    if (socket === undefined || stream.destroyed || server.listenerCount('request') > 0) return
    const { request, response } = requestOf(stream, parsed, raw, socket)
    const open = inFlight.beginRequest(request, response)
    accessLog?.begin(open, request, response)
  }
}
