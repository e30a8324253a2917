// Limits the open connections of the admin page and the control socket, so that idle clients can't lock out others.

import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** At the limit, a new connection closes the connection that has been idle for longest. If none is idle, the new connection is closed. */
export function boundConnections(server: Server, limit: number): void {
  /** Connections without a request under way; the longest idle comes first. */
  const idle = new Set<Socket>()
  let open = 0
  server.on('connection', (socket: Socket) => {
    open++
    idle.add(socket)
    socket.once('close', () => {
      open--
      idle.delete(socket)
    })
    const [longestIdle] = idle
    if (open > limit) longestIdle?.destroy()
  })
  server.prependListener('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    idle.delete(socket)
    response.once('close', () => {
      if (!socket.destroyed) idle.add(socket)
    })
  })
}
