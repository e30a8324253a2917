// One websocket that a proxy worker passes to an upstream server: the handshake first, then every byte in both directions.

import { type IncomingMessage, ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { AnswerPassing } from '../../forward/answer.ts'
import { isIdempotent } from '../../forward/attempts.ts'
import { ForwardRequest } from '../../forward/unobserved.ts'
import { reasonOf } from '../connection/failure.ts'
import { upstreamWriting } from '../fields/answer-head.ts'
import type { UpstreamServer } from '../servers/upstream-server.ts'
import { UpstreamAttempts } from './attempts.ts'
import type { ProxiedTarget, ProxyContext } from './proxied-request.ts'

/** Owns the client's connection and the one to the server until both have ended. */
export class ProxiedUpgrade extends UpstreamAttempts {
  protected override readonly context: ProxyContext
  private readonly client: Socket
  /** Bytes behind the client's head. The server gets them only if it accepts the upgrade: otherwise it would read them as a request. */
  private readonly behindHead: Buffer
  private readonly proxied: ProxiedTarget
  private upstream: { destroy(): unknown } | undefined

  constructor(context: ProxyContext, request: IncomingMessage, client: Duplex, behindHead: Buffer, proxied: ProxiedTarget) {
    super(context, request)
    this.context = context
    this.client = client as Socket
    this.behindHead = behindHead
    this.proxied = proxied
  }

  begin(): void {
    const { client } = this
    if (client.destroyed) return
    // Node has removed its own 'error' listener from an upgraded connection.
    client.on('error', ignore)
    client.on('close', this.onClientClose)
    this.choose()
  }

  protected override send(server: UpstreamServer): void {
    const { context, request, proxied } = this
    let error: Error | undefined
    let isLate = false
    const socket = server.connections.open({ header: context.proxyHeader?.(request), allowHalfOpen: true })
    let isConnected = false
    socket.once(server.address.protocol === 'https' ? 'secureConnect' : 'connect', () => {
      isConnected = true
    })
    const upstream = new ForwardRequest({
      createConnection: () => socket,
      method: request.method,
      path: proxied.target,
      headers: ['Host', context.hostFor(server, proxied.host), ...proxied.fields],
      timeout: context.responseTimeoutMs,
    })
    this.upstream = upstream
    upstream.maxHeadersCount = 0
    upstream.on('upgrade', (answer, switched: Socket, first: Buffer) => this.connect(answer, switched, first))
    upstream.on('response', (answer) => this.decline(answer, server))
    upstream.on('timeout', () => {
      if (!isConnected) return
      isLate = true
      upstream.destroy(new Error('no answer in time'))
    })
    upstream.on('error', (cause) => {
      error ??= cause
    })
    upstream.on('close', () => {
      if (this.isOver || this.upstream !== upstream) return
      this.onLoss({
        reason: isLate ? 'response-timeout' : reasonOf(error, isConnected, server.address.protocol === 'https'),
        isUnsent: !isConnected,
        isRepeatable: isConnected && socket.bytesRead === 0 && isIdempotent(request.method),
        isReused: false,
      })
    })
    upstream.end()
  }

  protected override refuse(status: number, reason: string): void {
    this.stop()
    refuseUpgrade(this.client, status, reason)
  }

  /** The server has accepted. */
  private connect(answer: IncomingMessage, upstream: Socket, first: Buffer): void {
    const { client } = this
    if (this.isOver) return void upstream.destroy()
    this.onAnswer()
    this.server?.becomeTunnel()
    this.upstream = upstream
    let head = `HTTP/1.1 101 ${answer.statusMessage ?? ''}\r\n`
    const { rawHeaders } = answer
    for (let at = 0; at < rawHeaders.length; at += 2) head += `${rawHeaders[at]}: ${rawHeaders[at + 1]}\r\n`
    client.write(`${head}\r\n`, 'latin1')
    if (first.length > 0) client.write(first)
    if (this.behindHead.length > 0) upstream.write(this.behindHead)
    const { server } = this
    upstream.on('close', () => {
      if (!hasEnded(upstream)) client.destroy()
      server?.endTunnel()
      this.stop()
    })
    const onSilence = (): void => {
      client.destroy()
      upstream.destroy()
    }
    // Bytes in either direction count.
    client.setTimeout(this.context.tunnelTimeoutMs, onSilence)
    upstream.setTimeout(0)
    client.setNoDelay(true)
    client.pipe(upstream)
    upstream.pipe(client)
  }

  /** The server answers without an upgrade: its answer is the client's, and the connection ends. */
  private decline(answer: IncomingMessage, server: UpstreamServer): void {
    if (this.isOver) return void this.upstream?.destroy()
    this.onAnswer()
    const { request, client, context } = this
    const response = new ServerResponse(request)
    response.shouldKeepAlive = false
    response.assignSocket(client)
    response.on('finish', () => client.end(() => client.destroy()))
    let passing: AnswerPassing
    try {
      passing = new AnswerPassing(answer, response, upstreamWriting(context.changesFor(request, server)))
    } catch {
      response.detachSocket(client)
      return this.refuse(502, 'bad-answer')
    }
    answer.once('close', () => {
      if (!passing.isComplete) passing.breakOff()
      this.stop()
    })
  }

  /** The client's connection has closed. If both directions had ended, the last bytes to the server are still on their way. */
  private readonly onClientClose = (): void => {
    if (!hasEnded(this.client)) this.upstream?.destroy()
    this.stop()
  }
}

/** Answers an upgrade with an error, and says why in one word. */
export function refuseUpgrade(client: Duplex, status: number, reason: string): void {
  const text = `${status} ${STATUS_CODES[status]} (${reason})\n`
  const retry = status === 503 ? 'Retry-After: 1\r\n' : ''
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: text/plain\r\nContent-Length: ${text.length}\r\n${retry}Connection: close\r\n\r\n`
  client.on('error', ignore)
  client.end(head + text, 'latin1', () => client.destroy())
}

function hasEnded(socket: Socket): boolean {
  return socket.readableEnded && socket.writableFinished
}

function ignore(): void {}
