// Applies Node's limit on header fields (`maxHeadersCount`, 1,000 by default) after steering. Older versions of Node show the app only that many
// fields while the parser frames the body by all of them; newer versions refuse the request. Steering and forwarding must see all fields that the
// parser saw, so the parser's limit is lifted, and the app gets the behaviour of this version of Node.

import { createServer, IncomingMessage } from 'node:http'
import type { Server } from 'node:net'
import { Duplex } from 'node:stream'

/** Node's default, names and values counted separately. */
const NODES_LIMIT = 2000
/** The parser of older versions delivers 31 fields at a time, names and values, and stops at the limit. */
const CHUNK = 62

type LimitedServer = Server & { maxHeadersCount?: number | null | undefined }

interface PrivateMessage extends IncomingMessage {
  joinDuplicateHeaders?: boolean
  _addHeaderLines(fields: readonly string[], count: number): void
}

/** The limit of one server. */
export class FieldLimit {
  private readonly server: LimitedServer

  constructor(server: Server) {
    this.server = server
  }

  /** Runs `announce`, which gives a connection to the server. A parser reads its limit at that moment; this one shows all fields. */
  lift<T>(announce: () => T): T {
    const { server } = this
    const { maxHeadersCount } = server
    server.maxHeadersCount = 0
    try {
      return announce()
    } finally {
      server.maxHeadersCount = maxHeadersCount
    }
  }

  /** Limits the fields of a request before the app gets it. False: this version of Node would have refused the request. */
  apply(request: IncomingMessage): boolean {
    const { maxHeadersCount } = this.server
    const limit = typeof maxHeadersCount === 'number' ? maxHeadersCount * 2 : NODES_LIMIT
    if (limit <= 0 || request.rawHeaders.length <= limit || request.httpVersionMajor !== 1) return true
    nodeRefuses ??= refusesTwoFields()
    if (!nodeRefuses) cut(request as PrivateMessage, limit)
    return !nodeRefuses
  }
}

let nodeRefuses: boolean | undefined

/** Does this version of Node refuse a head with more fields than `maxHeadersCount`? */
function refusesTwoFields(): boolean {
  let isTaken = false
  const server = createServer(() => {
    isTaken = true
  })
  server.maxHeadersCount = 1
  const line = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() })
  line.on('error', () => {})
  server.emit('connection', line)
  line.emit('data', Buffer.from('GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n\r\n'))
  line.destroy()
  return !isTaken
}

function cut(request: PrivateMessage, limit: number): void {
  const kept = new IncomingMessage(request.socket) as PrivateMessage
  kept.joinDuplicateHeaders = request.joinDuplicateHeaders === true
  kept._addHeaderLines(request.rawHeaders.slice(0, Math.ceil(limit / CHUNK) * CHUNK), limit)
  request.rawHeaders = kept.rawHeaders
  request.headers = kept.headers
  Object.defineProperty(request, 'headersDistinct', { configurable: true, writable: true, value: kept.headersDistinct })
}
