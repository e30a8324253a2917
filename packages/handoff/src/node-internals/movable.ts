// Decides in a worker whether a connection may move with the request that has just come, and which bytes go along. A connection moves only
// between requests, with every byte that was read and not answered: the parser's present buffer. `getCurrentBuffer` is private and exists
// in Node 20 to 26.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { type ForwardReason, MAX_CARRIED_BYTES } from '../returns.ts'
import { carrierOf } from './carrier.ts'

interface PrivateSocket {
  readonly _httpMessage?: ServerResponse | null
  readonly parser?: { getCurrentBuffer?(): Buffer | undefined } | null
}

/** A request that its server is about to give to the app. */
export interface StartingRequest {
  readonly request: IncomingMessage
  /** undefined for an upgrade. */
  readonly response: ServerResponse | undefined
  /** The bytes behind the head of an upgrade. */
  readonly upgradeHead: Buffer | undefined
  /** The request before on this connection. */
  readonly previous: IncomingMessage | undefined
}

/**
 * All bytes that were read since the last request ended, or why the connection cannot move. The parser's buffer must start with this
 * request's head in canonical form. Then everything before is answered, and everything behind (a body, more requests) is in the buffer or
 * in the kernel.
 */
export function carriedBy({ request, response, upgradeHead, previous }: StartingRequest): Buffer | ForwardReason {
  const { socket } = request
  if (socket instanceof TLSSocket) return 'tls'
  if (carrierOf(socket) !== undefined) return 'http2'
  const { _httpMessage: pending, parser } = socket as unknown as PrivateSocket
  // A request whose 'end' was emitted ended in an earlier turn, so no byte of this buffer is its body.
  if ((pending ?? undefined) !== response || previous?.readableEnded === false) return 'pipelined'
  if (socket.writableLength > 0) return 'writing'
  const head = canonicalHead(request)
  const read = upgradeHead === undefined ? parser?.getCurrentBuffer?.() : Buffer.concat([Buffer.from(head, 'latin1'), upgradeHead])
  if (read === undefined || read.length > MAX_CARRIED_BYTES || read.toString('latin1', 0, head.length) !== head) return 'head'
  return read
}

/**
 * The value of `socket.bytesRead` when this request has been read to its end and nothing behind it. undefined when it is unknown: chunked
 * bodies, unusual heads. Call it when the request starts.
 */
export function endOf(request: IncomingMessage): number | undefined {
  const { socket, headers } = request
  if (headers['transfer-encoding'] !== undefined || socket instanceof TLSSocket) return undefined
  const read = (socket as unknown as PrivateSocket).parser?.getCurrentBuffer?.()
  const head = canonicalHead(request)
  if (read === undefined || read.toString('latin1', 0, head.length) !== head) return undefined
  const end = socket.bytesRead - read.length + head.length + Number(headers['content-length'] ?? 0)
  return Number.isSafeInteger(end) ? end : undefined
}

interface Place {
  readonly bytesRead: number
  /** Offset of the next request in the parser's buffer. */
  readonly next: number
}

const places = new WeakMap<Socket, Place>()

/** Were bytes behind the request read together with it? Call it for every request of a connection, when it starts. */
export function hasMoreBehind(request: IncomingMessage): boolean {
  const { socket, headers } = request
  const read = (socket as unknown as PrivateSocket).parser?.getCurrentBuffer?.()
  if (read === undefined || headers['transfer-encoding'] !== undefined) return false
  const head = canonicalHead(request)
  const last = places.get(socket)
  const start = last?.bytesRead === socket.bytesRead ? last.next : 0
  if (read.toString('latin1', start, start + head.length) !== head) return false
  const next = start + head.length + Number(headers['content-length'] ?? 0)
  places.set(socket, { bytesRead: socket.bytesRead, next })
  return read.length > next
}

/** A head as most clients write it: `method SP target SP version CRLF`, `name: value CRLF` …, `CRLF`, as latin1. */
export function canonicalHead({ method, url, httpVersion, rawHeaders }: IncomingMessage): string {
  let text = `${method} ${url} HTTP/${httpVersion}\r\n`
  for (let at = 0; at < rawHeaders.length; at += 2) text += `${rawHeaders[at]}: ${rawHeaders[at + 1]}\r\n`
  return `${text}\r\n`
}
