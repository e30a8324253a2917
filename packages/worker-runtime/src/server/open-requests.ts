// The requests that have begun and are not over: one is over when its response is finished, or when its connection closes. That is asked of Node and of
// the connection, for a response does not tell it: one that waits behind another, because its client has not waited for an answer, never closes.

import { subscribe } from 'node:diagnostics_channel'
import { type IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { responseOn } from '@switchyard/handoff'

const begun = Symbol('switchyard.begun')
const connection = Symbol('switchyard.connection')

/** Since when in ms, or only that it has begun. */
export type Since = number | true

/** Is told of each end. `response`: undefined if it waited behind another's, and nobody will ever know it. */
export type EndListener = (response: ServerResponse | undefined, since: Since) => void

interface Connection {
  readonly owner: OpenRequests
  /** How many. */
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

/** Those of one worker. */
export class OpenRequests {
  private readonly onEnd: EndListener

  constructor(onEnd: EndListener) {
    this.onEnd = onEnd
    subscribe('http.server.response.finish', (message) => this.finish(message as Finished))
  }

  /** Has it begun, whether or not it is over? */
  static hasBegun(response: ServerResponse): boolean {
    return (response as BegunResponse)[begun] !== undefined
  }

  begin({ socket }: IncomingMessage, response: BegunResponse, since: Since): void {
    response[begun] = since
    // One of HTTP/2 has a stream of its own, which closes in any case.
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
    // One that could not be forwarded begins here after all, perhaps when its client has left.
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
