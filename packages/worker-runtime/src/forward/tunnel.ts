// A forwarded upgrade: sends the request's head to the other worker, then passes every byte in both directions unchanged, including the head of the
// answer.

import { type IncomingMessage, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type Choose, ForwardAttempts, type ForwardOptions, isIdempotent, type RefusalStatus, refusalText } from './attempts.ts'
import { headOf } from './forwarded-field.ts'
import { connectUnobserved } from './unobserved.ts'

/** Owns the client's connection and the one to the worker until both have ended. */
export class Tunnel extends ForwardAttempts {
  private readonly request: IncomingMessage
  private readonly socket: Duplex
  private readonly upgradeHead: Buffer
  private upstream: Socket | undefined

  constructor(
    options: ForwardOptions,
    request: IncomingMessage,
    socket: Duplex,
    upgradeHead: Buffer,
    choose: Choose,
    serveHere: () => void,
  ) {
    super(options, choose, serveHere)
    this.request = request
    this.socket = socket
    this.upgradeHead = upgradeHead
  }

  begin(): void {
    const { socket } = this
    if (socket.destroyed) return
    // Node has removed its own 'error' listener from an upgraded connection.
    socket.on('error', ignore)
    socket.on('close', this.onClientClose)
    void this.ask()
  }

  protected override send(socketPath: string): void {
    const { request, socket, upgradeHead, options } = this
    const upstream = connectUnobserved(socketPath, { allowHalfOpen: true })
    this.upstream = upstream
    let connected = false
    let sentFirst = 0
    let answered = false
    let error: Error | undefined
    upstream.once('connect', () => {
      connected = true
      const text = headOf(request, options.token)
      upstream.write(text, 'latin1')
      if (upgradeHead.length > 0) upstream.write(upgradeHead)
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
      else if (!this.isOver) {
        const repeatable = upstream.bytesWritten <= sentFirst && isIdempotent(request.method)
        void this.onLoss(socketPath, { refused: !connected, error, repeatable })
      }
    })
  }

  protected override refuse(status: RefusalStatus): void {
    this.isOver = true
    const { socket } = this
    const text = refusalText(status)
    const retry = status === 503 ? 'Retry-After: 1\r\n' : ''
    const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: text/plain\r\nContent-Length: ${text.length}\r\n${retry}Connection: close\r\n\r\n`
    socket.end(head + text, 'latin1', () => socket.destroy())
  }

  protected override cut(): void {
    this.isOver = true
    this.socket.destroy()
  }

  protected override release(): boolean {
    this.isOver = true
    this.socket.off('error', ignore)
    this.socket.off('close', this.onClientClose)
    // A pipe to a worker that failed has paused the socket. Node gives it to an app neither paused nor flowing.
    if (this.upstream !== undefined) (this.socket as { readableFlowing: boolean | null }).readableFlowing = null
    return true
  }

  /** The client's connection has closed. If both directions had ended, the last bytes to the worker are still on their way. */
  private readonly onClientClose = (): void => {
    this.isOver = true
    if (!hasEnded(this.socket)) this.upstream?.destroy()
  }

  private closed(upstream: Socket): void {
    this.isOver = true
    if (!hasEnded(upstream)) this.socket.destroy()
  }
}

function hasEnded(socket: Duplex): boolean {
  return socket.readableEnded && socket.writableFinished
}

function ignore(): void {}
