// Tracks requests from their begin to their end: the response finishes, or the connection closes. Node's diagnostics channel and the connection
// tell, because a response does not: one that waits behind another (pipelining) never emits 'close'.

import { subscribe } from 'node:diagnostics_channel'
import { type IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { responseOn } from '@switchyard/handoff'

const begun = Symbol('switchyard.begun')
const connection = Symbol('switchyard.connection')

/** The begin in ms, or true for a request that is not timed. */
export type Since = number | true

/** Called at the end of each request. `response` is undefined if it still waited behind another when the connection closed. */
export type EndListener = (response: ServerResponse | undefined, since: Since) => void

interface Connection {
  readonly owner: OpenRequests
  /** Its requests in flight. */
  open: number
}

interface BegunResponse extends ServerResponse {
  [begun]?: Since
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

  begin({ socket }: IncomingMessage, response: BegunResponse, since: Since): void {
    response[begun] = since
    // An HTTP/2 response has a stream of its own and always closes.
    if (!(response instanceof ServerResponse)) (response as ServerResponse).on('close', () => this.onEnd(response, since))
    else ((socket as WatchedSocket)[connection] ?? this.watch(socket)).open++
  }

  private watch(socket: WatchedSocket): Connection {
    const watched: Connection = { owner: this, open: 0 }
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
    const since = response[begun]
    if (since === undefined || watched === undefined || watched.owner !== this || watched.open === 0) return
    watched.open--
    this.onEnd(response, since)
  }

  private close(socket: WatchedSocket, watched: Connection): void {
    if (watched.open === 0) return
    const response = responseOn(socket) as BegunResponse | undefined
    const since = response?.[begun]
    if (since !== undefined) {
      watched.open--
      this.onEnd(response, since)
    }
    for (; watched.open > 0; watched.open--) this.onEnd(undefined, true)
  }
}
