// Sends one request to an upstream server: the head, and the body as the client sends it.

import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { trailerFields } from '../fields/hop-fields.ts'

/** A body up to this size leaves in one write with its head, and can be sent again. */
const MAX_WHOLE_BYTES = 8 * 1024
const LINE_END = '\r\n'
/** What no value of a field may contain. A lenient parser accepts it from clients. */
const FORBIDDEN_IN_VALUE = /[^\t\x20-\x7e\x80-\xff]/

const sendingKey = Symbol('switchyard.upstreamSending')

interface Sent {
  [sendingKey]?: RequestSending
}

/** Sends one request, again if it is repeatable. The listeners are shared functions, which find this object on the request. */
export class RequestSending {
  private readonly request: IncomingMessage & Sent
  private readonly isChunked: boolean
  /** From Content-Length; 0 without one. */
  private readonly length: number
  private socket: Socket | undefined
  private head = ''
  /** The part to send next. */
  private next: 'nothing yet' | 'head' | 'body' | 'nothing more' = 'nothing yet'
  /** A body that was at hand completely and left together with the head. */
  private whole: Buffer | undefined

  constructor(request: IncomingMessage) {
    this.request = request
    const { headers } = request
    this.isChunked = headers['transfer-encoding'] !== undefined
    this.length = Number(headers['content-length'] ?? 0)
  }

  /** The whole request is at hand; if it was sent, then in one piece. */
  get isWhole(): boolean {
    return !this.hasBody || this.whole !== undefined
  }

  /** All of it has been given to the connection. */
  get isSent(): boolean {
    return this.next === 'nothing more'
  }

  /** The connection is ready. `head`: with the empty line at its end. */
  begin(socket: Socket, head: string): void {
    this.socket = socket
    this.head = head
    if (!this.hasBody) {
      this.next = 'nothing more'
      socket.write(head, 'latin1')
      return
    }
    const { whole, request } = this
    if (whole !== undefined) return this.end(whole)
    // The head leaves with the first part of the body, if that is here.
    if (request.readableLength > 0) this.next = 'head'
    else this.sendHead()
    request[sendingKey] = this
    request.on('data', onData)
    request.on('end', onEnd)
  }

  /** The answer came before the end of the request, or none will come: the rest of the body is discarded. */
  stop(): void {
    if (this.next !== 'head' && this.next !== 'body') return
    this.next = 'nothing yet'
    this.request.off('data', onData)
    this.request.off('end', onEnd)
    this.request.resume()
  }

  /** A part of the body has come. */
  pass(chunk: Buffer): void {
    const { request, socket } = this
    // Node emits 'end' a little later than the last part.
    if ((!this.isChunked && chunk.length === this.length) || (request.complete && request.readableLength === 0)) {
      if (this.next === 'head' && chunk.length <= MAX_WHOLE_BYTES) this.whole = chunk
      return this.end(chunk)
    }
    if (socket === undefined) return
    socket.cork()
    if (this.next === 'head') this.sendHead()
    this.write(chunk)
    socket.uncork()
    if (socket.writableNeedDrain) request.pause()
  }

  /** The body has ended. */
  finish(): void {
    if (this.next !== 'nothing more') this.end()
  }

  /** The connection accepts more. */
  resume(): void {
    if (this.next === 'body') this.request.resume()
  }

  private get hasBody(): boolean {
    return this.length !== 0 || this.isChunked
  }

  private sendHead(): void {
    this.next = 'body'
    this.socket?.write(this.head, 'latin1')
  }

  private write(chunk: Buffer): void {
    const { socket, isChunked } = this
    if (chunk.length === 0) return
    if (isChunked) socket?.write(chunk.length.toString(16) + LINE_END, 'latin1')
    socket?.write(chunk)
    if (isChunked) socket?.write(LINE_END, 'latin1')
  }

  private end(chunk?: Buffer): void {
    const { socket, request, isChunked, next } = this
    this.next = 'nothing more'
    if (socket === undefined) return
    socket.cork()
    if (next !== 'body') socket.write(this.head, 'latin1')
    if (chunk !== undefined) this.write(chunk)
    if (isChunked) socket.write(`0${LINE_END}${fieldLines(trailerFields(request.rawTrailers)) ?? ''}${LINE_END}`, 'latin1')
    socket.uncork()
  }
}

/** The fields as lines. undefined: one of them can't be sent. */
export function fieldLines(fields: readonly string[]): string | undefined {
  let text = ''
  for (let at = 0; at < fields.length; at += 2) {
    const value = fields[at + 1] as string
    if (FORBIDDEN_IN_VALUE.test(value)) return undefined
    text += `${fields[at]}: ${value}${LINE_END}`
  }
  return text
}

function onData(this: Sent, chunk: Buffer): void {
  this[sendingKey]?.pass(chunk)
}

function onEnd(this: Sent): void {
  this[sendingKey]?.finish()
}
