// What the access log knows of one request at its end, and what of it differs from the request of the line before.

import type { IncomingMessage } from 'node:http'
import type { LoggedRequest, Placement } from '../server/requests/open-requests.ts'
import { upstreamOf } from '../server/requests/upstream-of-request.ts'

/** The status of a request whose connection ended before its answer began, as in nginx. */
export const NO_ANSWER = 499

/** A bit for each value that is often the same from line to line. */
export const CHANGES = {
  address: 1 << 0,
  agent: 1 << 1,
  authorization: 1 << 2,
  hasBytes: 1 << 3,
  host: 1 << 4,
  httpVersion: 1 << 5,
  isAborted: 1 << 6,
  method: 1 << 7,
  placement: 1 << 8,
  referer: 1 << 9,
  route: 1 << 10,
  second: 1 << 11,
  status: 1 << 12,
  waitMs: 1 << 13,
} as const

const SECOND_MS = 1000
/** Of a stream of HTTP/2, which the app gets as a request of HTTP/1.1. */
const HTTP2 = '2.0'

/** One object is filled again for each line. */
export class EndedRequest {
  /** The bits of the values that have changed. */
  changes = 0
  address: string | undefined = undefined
  /** Header fields as the client sent them. */
  agent: string | undefined = undefined
  authorization: string | undefined = undefined
  host: string | undefined = undefined
  referer: string | undefined = undefined
  method = ''
  url = ''
  /** As in `1.1`. */
  httpVersion = ''
  /** The name of its route. */
  route = ''
  waitMs: number | undefined = undefined
  placement: Placement | undefined = undefined
  /** Milliseconds since 1970. */
  endedMs = 0
  serviceMs = 0
  /** The upstream server, and the time until its answer began; -1: it has not. */
  upstream: string | undefined = undefined
  upstreamMs = -1
  status = 0
  /** Bytes of the body as sent; -1: unknown. */
  bytes = -1
  /** The connection ended before the response did. */
  isAborted = false
  /** When the second of `endedMs` begins. */
  private secondMs = Number.NaN

  fill(request: IncomingMessage, { url, address, waitMs, placement }: LoggedRequest, route: string): void {
    let changes = this.readFields(request.rawHeaders)
    const { method = '' } = request
    const httpVersion = isOverHttp2(request) ? HTTP2 : request.httpVersion
    if (address !== this.address) changes |= CHANGES.address
    if (method !== this.method) changes |= CHANGES.method
    if (httpVersion !== this.httpVersion) changes |= CHANGES.httpVersion
    if (route !== this.route) changes |= CHANGES.route
    if (waitMs !== this.waitMs) changes |= CHANGES.waitMs
    if (placement !== this.placement) changes |= CHANGES.placement
    this.url = url
    this.address = address
    this.method = method
    this.httpVersion = httpVersion
    this.route = route
    this.waitMs = waitMs
    this.placement = placement
    this.changes = changes
  }

  /** Call it after `fill`. */
  end(endedMs: number, serviceMs: number, status: number, bytes: number, isAborted: boolean): void {
    let { changes } = this
    if (status !== this.status) changes |= CHANGES.status
    if (bytes < 0 !== this.bytes < 0) changes |= CHANGES.hasBytes
    if (isAborted !== this.isAborted) changes |= CHANGES.isAborted
    if (!(endedMs >= this.secondMs && endedMs < this.secondMs + SECOND_MS)) {
      changes |= CHANGES.second
      this.secondMs = endedMs - (endedMs % SECOND_MS)
    }
    this.endedMs = endedMs
    this.serviceMs = serviceMs
    this.status = status
    this.bytes = bytes
    this.isAborted = isAborted
    this.changes = changes
  }

  /** For a worker that is a proxy for upstream servers. */
  fillUpstream(request: IncomingMessage): void {
    const upstream = upstreamOf(request)
    this.upstream = upstream?.name
    this.upstreamMs = upstream?.ms ?? -1
  }

  /** Reads the fields in one pass, without Node's object of all fields. */
  private readFields(rawHeaders: readonly string[]): number {
    let agent: string | undefined
    let authorization: string | undefined
    let host: string | undefined
    let referer: string | undefined
    for (let at = 0; at < rawHeaders.length; at += 2) {
      const name = rawHeaders[at] as string
      switch (name.length) {
        case 4:
          if (isField(name, 'Host', 'host')) host = rawHeaders[at + 1]
          break
        case 7:
          if (isField(name, 'Referer', 'referer')) referer = rawHeaders[at + 1]
          break
        case 10:
          if (isField(name, 'User-Agent', 'user-agent')) agent = rawHeaders[at + 1]
          else if (name === ':authority') host = rawHeaders[at + 1]
          break
        case 13:
          if (isField(name, 'Authorization', 'authorization')) authorization = rawHeaders[at + 1]
      }
    }
    let changes = 0
    if (agent !== this.agent) changes |= CHANGES.agent
    if (authorization !== this.authorization) changes |= CHANGES.authorization
    if (host !== this.host) changes |= CHANGES.host
    if (referer !== this.referer) changes |= CHANGES.referer
    this.agent = agent
    this.authorization = authorization
    this.host = host
    this.referer = referer
    return changes
  }
}

/** Does the client speak HTTP/2, which has ended in a worker? */
function isOverHttp2({ httpVersionMajor, socket }: IncomingMessage): boolean {
  if (httpVersionMajor !== 1) return false
  const { alpnProtocol } = socket as { readonly alpnProtocol?: string | false | null }
  return alpnProtocol === 'h2' || alpnProtocol === 'h2c'
}

function isField(name: string, usual: string, lower: string): boolean {
  return name === usual || name === lower || name.toLowerCase() === lower
}
