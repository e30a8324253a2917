// Tracks requests from their begin to their end: the response finishes, or the connection closes. Node's diagnostics channel and the connection
// tell, because a response does not: one that waits behind another (pipelining) never emits 'close'.

import { subscribe } from 'node:diagnostics_channel'
import { type IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { responseOn } from '@switchyard/handoff'

const begun = Symbol('switchyard.begun')
const connection = Symbol('switchyard.connection')

/** Called at the end of each request. `response` is undefined if it still waited behind another when the connection closed. */
export type EndListener = (response: ServerResponse | undefined, begin: Begin) => void

/** What is remembered of a request's begin. */
export interface Begin {
  readonly atMs: number
  /** The row of its route. */
  readonly row: number
  /** Does its duration count for the moving average? */
  readonly isSample: boolean
}

/** For a request of which only the count is known. */
const NO_BEGIN: Begin = { atMs: 0, row: -1, isSample: false }

interface Connection {
  readonly owner: OpenRequests
  /** Its requests in flight. */
  open: number
  /** The begins of pipelined requests, in order: the first waits for the response before it. undefined: none was ever pipelined. */
  waiting: Begin[] | undefined
}

interface BegunResponse extends ServerResponse {
  [begun]?: Begin
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

  begin({ socket }: IncomingMessage, response: BegunResponse, begin: Begin): void {
    response[begun] = begin
    // An HTTP/2 response has a stream of its own and always closes.
    if (!(response instanceof ServerResponse)) (response as ServerResponse).on('close', () => this.onEnd(response, begin))
    else {
      const watched = (socket as WatchedSocket)[connection] ?? this.watch(socket)
      if (watched.open > 0) {
        watched.waiting ??= []
        watched.waiting.push(begin)
      }
      watched.open++
    }
  }

  private watch(socket: WatchedSocket): Connection {
    const watched: Connection = { owner: this, open: 0, waiting: undefined }
    socket[connection] = watched
    const close = () => {
      socket[connection] = undefined
      this.close(socket, watched)
    }
    // A request that could not be forwarded begins here late, when its client may have hung up.
    if (socket.closed) setImmediate(close)
    else socket.once('close', close)
    return watched
  }

  private finish({ response, socket }: Finished): void {
    const watched = socket[connection]
    const begin = response[begun]
    if (begin === undefined || watched === undefined || watched.owner !== this || watched.open === 0) return
    watched.open--
    watched.waiting?.shift()
    this.onEnd(response, begin)
  }

  private close(socket: WatchedSocket, watched: Connection): void {
    if (watched.open === 0) return
    const response = responseOn(socket) as BegunResponse | undefined
    const first = response?.[begun]
    if (first !== undefined) {
      watched.open--
      this.onEnd(response, first)
    }
    for (const begin of watched.waiting?.splice(0) ?? []) {
      if (begin === first) continue
      watched.open--
      this.onEnd(undefined, begin)
    }
    for (; watched.open > 0; watched.open--) this.onEnd(undefined, NO_BEGIN)
  }
}
