// Bounds the connections of a small server of ours so that those which ask for nothing never shut out one that does.

import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** At most `most` are open. One more ends the one that has been idle for longest; when all are being answered, the new one. */
export function boundConnections(server: Server, most: number): void {
  /** Without a request, that which has been so for longest first. */
  const idle = new Set<Socket>()
  let open = 0
  server.on('connection', (socket: Socket) => {
    open++
    idle.add(socket)
    socket.once('close', () => {
      open--
      idle.delete(socket)
    })
    const [first] = idle
    if (open > most) first?.destroy()
  })
  server.prependListener('request', ({ socket }: IncomingMessage, response: ServerResponse) => {
    idle.delete(socket)
    response.once('close', () => {
      if (!socket.destroyed) idle.add(socket)
    })
  })
}
