// Ends connections whose clients may still be sending (RFC 9112 §9.6). When a socket is closed, bytes that lie unread make the kernel reset the connection, and so do
// bytes that come later. Then the client loses what it has not read of the last response. So the socket is half-closed first, and reads on for a bounded time.

import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'

/** A half-closed connection closes after this time without new bytes. */
const QUIET_MS = 2000
/** It closes after this time in any case. */
const MAX_MS = 30_000

/** Destroys a half-closed connection when the client is quiet, or when `goesOn` says no, or after `MAX_MS`. */
export function destroyWhenQuiet(socket: Socket, goesOn: () => boolean = () => true): void {
  let { bytesRead } = socket
  let leftMs = MAX_MS
  const timer = setInterval(() => {
    leftMs -= QUIET_MS
    const isQuiet = socket.bytesRead === bytesRead
    bytesRead = socket.bytesRead
    if (isQuiet || leftMs <= 0 || !goesOn()) socket.destroy()
  }, QUIET_MS).unref()
  socket.once('close', () => clearInterval(timer))
}

/**
 * Node closes a connection at once after its last response. If the client is still sending the body of the request, the connection lingers. `last`: the request
 * of the last response.
 */
export function lingerAtEnd(socket: Socket, last: () => IncomingMessage | undefined): void {
  const { destroySoon } = socket
  socket.destroySoon = () => {
    const request = last()
    if (request === undefined || request.complete) return destroySoon.call(socket)
    socket.end()
    // The app may have stopped to read the body.
    request.resume()
    destroyWhenQuiet(socket, () => !request.complete)
  }
}
