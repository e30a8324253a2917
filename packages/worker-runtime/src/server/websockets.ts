// The websockets of this worker: those that its app serves, however they came here, and those that it passes on to another worker.

import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { endWebSocket } from '../drain/websocket-end.ts'

/** A websocket, or a connection that is about to be one. */
export interface WebSocket {
  readonly socket: Socket
  /** Bytes before its handshake was answered. */
  readonly writtenBefore: number
}

/** An upgrade is rare, so each costs a listener and a place in a table. */
export class Websockets {
  private readonly all = new Map<Socket, WebSocket>()

  /** A client asks for an upgrade; whatever becomes of it. */
  add(request: IncomingMessage, stream: Duplex): void {
    const socket = stream as Socket
    if (this.all.has(socket) || request.headers.upgrade?.toLowerCase() !== 'websocket') return
    this.all.set(socket, { socket, writtenBefore: socket.bytesWritten })
    socket.once('close', () => this.all.delete(socket))
  }

  /** Those whose handshake is over. */
  get open(): WebSocket[] {
    return [...this.all.values()].filter(({ socket, writtenBefore }) => socket.writable && socket.bytesWritten > writtenBefore)
  }

  /** Tells its client that the service restarts, and ends it; it is not among the others any more. */
  end({ socket }: WebSocket): void {
    this.all.delete(socket)
    endWebSocket(socket)
  }
}
