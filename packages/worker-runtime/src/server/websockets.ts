// The websockets of this worker: those of its app, and those that it forwards to another worker.

import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { endWebSocket } from './websocket-end.ts'

/** A websocket, or a connection during its handshake. */
export interface WebSocket {
  readonly socket: Socket
  /** Bytes written before the answer to the handshake. */
  readonly writtenBefore: number
}

export class Websockets {
  private readonly all = new Map<Socket, WebSocket>()

  /** A client asks for an upgrade, which may still fail. */
  add(request: IncomingMessage, stream: Duplex): void {
    const socket = stream as Socket
    if (this.all.has(socket) || request.headers.upgrade?.toLowerCase() !== 'websocket') return
    this.all.set(socket, { socket, writtenBefore: socket.bytesWritten })
    socket.once('close', () => this.all.delete(socket))
  }

  /** The websockets whose handshake is answered. */
  get open(): WebSocket[] {
    return [...this.all.values()].filter(({ socket, writtenBefore }) => socket.writable && socket.bytesWritten > writtenBefore)
  }

  /** Ends a websocket with 1012 (Service Restart), and forgets it. */
  end({ socket }: WebSocket): void {
    this.all.delete(socket)
    endWebSocket(socket)
  }
}
