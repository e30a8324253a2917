// The messages of a socket. Each socket has the session of the visitor who opened it, and ends with it.

import type { RequestSession } from '@switchyard/worker-runtime'
import { sessions, worker } from '@switchyard/worker-runtime'
import type { Server } from 'socket.io'

const MAX_TEXT = 500

/** In the session. */
export interface Yard {
  readonly name: string
  readonly yard: string
}

interface FromServer {
  /** The visitor is in the yard. */
  welcome(workerSlot: { readonly slot: number | undefined; readonly pid: number }): void
  said(message: { readonly from: string; readonly text: string }): void
  /** The session cannot be read at the moment: the client should try again later. */
  later(): void
}

interface FromClient {
  say(text: unknown): void
}

export type YardServer = Server<FromClient, FromServer, object, { session: RequestSession<Yard> }>

export function serveYard(io: YardServer): void {
  // The request that opened the connection has the cookie. Without a login it is refused like any other request.
  io.use((socket, next) => {
    sessions<Yard>(socket.request).then((session) => {
      socket.data.session = session
      next(session.value === undefined ? new Error('not logged in') : undefined)
    }, next)
  })
  io.on('connection', (socket) => {
    const { session } = socket.data
    if (session.value !== undefined) void socket.join(session.value.yard)
    socket.emit('welcome', { slot: worker.slot, pid: process.pid })
    socket.on('say', (text) => {
      // A socket stays open for hours, and the session may have ended meanwhile. A read from the near cache costs nothing.
      session.read().then(
        (visitor) => {
          if (visitor === undefined) socket.disconnect(true)
          else io.to(visitor.yard).emit('said', { from: visitor.name, text: String(text).slice(0, MAX_TEXT) })
        },
        () => socket.emit('later'),
      )
    })
  })
}
