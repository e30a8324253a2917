// A forwarded upgrade: the request's head goes to the other worker, and from then on every byte passes in both directions as it is, the answer's
// head among them.

import { type IncomingMessage, STATUS_CODES } from 'node:http'
import { connect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type Choose, ForwardAttempts, type ForwardParts, isIdempotent, type RefusalStatus, refusalText } from './attempts.ts'
import { headOf } from './forwarded-field.ts'

/** Owns the client's connection and the one to the worker until both have ended. */
export class Tunnel extends ForwardAttempts {
  private readonly request: IncomingMessage
  private readonly socket: Duplex
  private readonly head: Buffer
  private upstream: Socket | undefined

  constructor(parts: ForwardParts, request: IncomingMessage, socket: Duplex, head: Buffer, choose: Choose, serveHere: () => void) {
    super(parts, choose, serveHere)
    this.request = request
    this.socket = socket
    this.head = head
  }

  begin(): void {
    const { socket } = this
    if (socket.destroyed) return
    // Node has taken its own listener off an upgraded connection.
    socket.on('error', ignore)
    socket.on('close', this.leave)
    void this.ask()
  }

  protected override send(socketPath: string): void {
    const { request, socket, head, parts } = this
    const upstream = connect({ path: socketPath, allowHalfOpen: true })
    this.upstream = upstream
    let connected = false
    let sentFirst = 0
    let answered = false
    let error: Error | undefined
    upstream.once('connect', () => {
      connected = true
      const text = headOf(request, parts.token)
      upstream.write(text, 'latin1')
      if (head.length > 0) upstream.write(head)
      sentFirst = upstream.bytesWritten
      socket.pipe(upstream)
    })
    upstream.once('data', (first: Buffer) => {
      answered = true
      socket.write(first)
      upstream.pipe(socket)
    })
    upstream.once('end', () => {
      if (!answered) upstream.destroy()
    })
    upstream.on('error', (cause) => {
      error = cause
    })
    upstream.once('close', () => {
      if (answered) this.closed(upstream)
      else if (!this.over) {
        const repeatable = upstream.bytesWritten <= sentFirst && isIdempotent(request.method)
        void this.lose(socketPath, { refused: !connected, error, repeatable })
      }
    })
  }

  protected override refuse(status: RefusalStatus): void {
    this.over = true
    const { socket } = this
    const text = refusalText(status)
    const retry = status === 503 ? 'Retry-After: 1\r\n' : ''
    const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: text/plain\r\nContent-Length: ${text.length}\r\n${retry}Connection: close\r\n\r\n`
    socket.end(head + text, 'latin1', () => socket.destroy())
  }

  protected override cut(): void {
    this.over = true
    this.socket.destroy()
  }

  protected override release(): boolean {
    this.over = true
    this.socket.off('error', ignore)
    this.socket.off('close', this.leave)
    // A pipe to a worker that failed has paused it: as Node gives it to an app, it is neither paused nor flowing.
    if (this.upstream !== undefined) (this.socket as { readableFlowing: boolean | null }).readableFlowing = null
    return true
  }

  /** The client's connection has closed. If both its directions had ended, the last bytes to the worker are still on their way. */
  private readonly leave = (): void => {
    this.over = true
    if (!hasEnded(this.socket)) this.upstream?.destroy()
  }

  private closed(upstream: Socket): void {
    this.over = true
    if (!hasEnded(upstream)) this.socket.destroy()
  }
}

function hasEnded(socket: Duplex): boolean {
  return socket.readableEnded && socket.writableFinished
}

function ignore(): void {}
