// Tracks requests from their begin to their end: the response finishes, or the connection closes. Node's diagnostics channel and the connection
// tell, because a response does not: one that waits behind another (pipelining) never emits 'close'.

import { subscribe } from 'node:diagnostics_channel'
import { type IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { responseOn } from '@switchyard/handoff'

const begun = Symbol('switchyard.begun')
const connection = Symbol('switchyard.connection')

/**
 * Called at the end of each request. `response` is undefined if it still waited behind another when the connection closed. `isFinished`: it was written to its
 * end. After the call the next request of the connection uses `request`.
 */
export type EndListener = (response: ServerResponse | undefined, request: OpenRequest, isFinished: boolean) => void

/** How a request came to its worker, other than directly: with its connection, which another worker gave back; or alone, from another worker. */
export type Placement = 'moved' | 'forwarded'

/** What the access log keeps of a request while it is in flight. */
export interface LoggedRequest {
  /** As the client sent it; an app may change the request's own. */
  url: string
  address: string | undefined
  /** Is it that of the connection, so that it holds for later requests? */
  isPeer: boolean
  /** In the queue of the pool; undefined: the connection was in this worker already. */
  waitMs: number | undefined
  placement: Placement | undefined
  /** Bytes that were sent over the connection before; -1: unknown, because another response is still being written. */
  sentBefore: number
}

/** What is remembered of a request in flight. The requests of a connection use one object in turn, unless they are pipelined. */
export class OpenRequest {
  /** On the monotonic clock. */
  atMs = 0
  /** The number of its route; -1: nothing but the request's existence is known. */
  route = -1
  /** Does its duration count for the moving average? */
  isSample = false
  /** Is it the first one of its connection in this worker? */
  isFirst = true
  /** Does it have a line in the access log? */
  isLogged = false
  /** Undefined: none of the requests that used this object had a line. */
  logged: LoggedRequest | undefined = undefined
}

/** For a request of which only the count is known. */
const UNKNOWN = new OpenRequest()

interface Connection {
  readonly owner: OpenRequests
  /** For its requests, one after the other. */
  readonly own: OpenRequest
  /** Its requests in flight. */
  open: number
  /** The pipelined requests, in order: the first waits for the response before it. undefined: none was ever pipelined. */
  waiting: OpenRequest[] | undefined
}

interface BegunResponse extends ServerResponse {
  [begun]?: OpenRequest
}

interface WatchedSocket extends Socket {
  [connection]?: Connection | undefined
}

interface Finished {
  readonly response: BegunResponse
  readonly socket: WatchedSocket
}

export class OpenRequests {
  private readonly onEnd: EndListener

  constructor(onEnd: EndListener) {
    this.onEnd = onEnd
    subscribe('http.server.response.finish', (message) => this.finish(message as Finished))
  }

  /** Was `begin` called for this response, ended or not? */
  static hasBegun(response: ServerResponse): boolean {
    return (response as BegunResponse)[begun] !== undefined
  }

  /** Returns the object of the request, for the caller to fill. */
  begin({ socket }: IncomingMessage, response: BegunResponse): OpenRequest {
    // An HTTP/2 response has a stream of its own and always closes.
    if (!(response instanceof ServerResponse)) return this.beginStream(response)
    const watched = (socket as WatchedSocket)[connection]
    if (watched === undefined) return this.watch(socket, response)
    const request = watched.open === 0 ? watched.own : new OpenRequest()
    request.isFirst = false
    response[begun] = request
    if (watched.open++ > 0) {
      watched.waiting ??= []
      watched.waiting.push(request)
    }
    return request
  }

  private beginStream(stream: BegunResponse): OpenRequest {
    const request = new OpenRequest()
    const response: ServerResponse = stream
    stream[begun] = request
    response.on('close', () => this.onEnd(response, request, response.writableEnded))
    return request
  }

  /** The first request of a connection begins. */
  private watch(socket: WatchedSocket, response: BegunResponse): OpenRequest {
    const own = new OpenRequest()
    const watched: Connection = { owner: this, own, open: 1, waiting: undefined }
    socket[connection] = watched
    response[begun] = own
    const close = () => {
      socket[connection] = undefined
      this.close(socket, watched)
    }
    // A request that could not be forwarded begins here late, when its client may have hung up.
    if (socket.closed) setImmediate(close)
    else socket.once('close', close)
    return own
  }

  private finish({ response, socket }: Finished): void {
    const watched = socket[connection]
    const request = response[begun]
    if (request === undefined || watched === undefined || watched.owner !== this || watched.open === 0) return
    watched.open--
    watched.waiting?.shift()
    this.onEnd(response, request, true)
  }

  private close(socket: WatchedSocket, watched: Connection): void {
    if (watched.open === 0) return
    const response = responseOn(socket) as BegunResponse | undefined
    const first = response?.[begun]
    if (first !== undefined) {
      watched.open--
      this.onEnd(response, first, false)
    }
    for (const request of watched.waiting?.splice(0) ?? []) {
      if (request === first) continue
      watched.open--
      this.onEnd(undefined, request, false)
    }
    for (; watched.open > 0; watched.open--) this.onEnd(undefined, UNKNOWN, false)
  }
}
