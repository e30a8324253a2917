// An HTTP/1 server of our own that records what reaches it, byte for byte: requests as it frames them, by the simplest reading of RFC 9112.

import { createServer, type Server, type Socket } from 'node:net'
import { atSuiteEnd } from '../suite.ts'

export interface RecordedRequest {
  /** Number of the connection that it came on. */
  readonly connection: number
  readonly method: string
  readonly target: string
  /** Names as sent, and values, in order. */
  readonly fields: readonly (readonly [name: string, value: string])[]
  /** Without chunks. */
  readonly body: string
  readonly trailers: readonly (readonly [name: string, value: string])[]
}

/** Answers a request by writing to its connection. */
export type Answering = (request: RecordedRequest, socket: Socket) => void

export const ok: Answering = (_request, socket) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')

interface Read {
  readonly request: Omit<RecordedRequest, 'connection'>
  readonly bytes: number
}

export class RecordingServer {
  readonly requests: RecordedRequest[] = []
  /** Bytes that are no request. */
  readonly garbage: string[] = []
  /** Bytes that came behind an upgrade. They are sent back. */
  tunnelled = ''
  answer: Answering = ok
  /** Does the answer switch protocols? */
  switches: (request: RecordedRequest) => boolean = ({ fields }) => valueIn(fields, 'upgrade') !== undefined
  connections = 0
  readonly open = new Set<Socket>()
  private readonly server: Server

  private constructor() {
    this.server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.accept(socket))
  }

  /** On a free port, or the one given, of a loopback address, until the suite ends. */
  static async start(port = 0, host = '127.0.0.1'): Promise<RecordingServer> {
    const recording = new RecordingServer()
    await new Promise<void>((resolve) => recording.server.listen(port, host, resolve))
    atSuiteEnd(() => recording.stop())
    return recording
  }

  get port(): number {
    return (this.server.address() as { port: number }).port
  }

  /** Forgets what was recorded. */
  clear(): void {
    this.requests.length = 0
    this.garbage.length = 0
    this.tunnelled = ''
  }

  async stop(): Promise<void> {
    for (const socket of this.open) socket.destroy()
    if (this.server.listening) await new Promise((resolve) => this.server.close(resolve))
  }

  private accept(socket: Socket): void {
    const connection = this.connections++
    let received = ''
    let isTunnel = false
    this.open.add(socket)
    socket.setEncoding('latin1')
    socket.on('error', () => {})
    socket.on('close', () => this.open.delete(socket))
    socket.on('end', () => socket.end())
    socket.on('data', (text: string) => {
      if (isTunnel) return this.passBack(text, socket)
      received += text
      for (let read = readRequest(received, socket); read !== undefined; read = readRequest(received, socket)) {
        received = received.slice(read.bytes)
        const request = { ...read.request, connection }
        if (request.method === '') this.garbage.push(request.target)
        else this.requests.push(request)
        this.answer(request, socket)
        if (!this.switches(request)) continue
        isTunnel = true
        return received === '' ? undefined : this.passBack(received, socket)
      }
    })
  }

  private passBack(text: string, socket: Socket): void {
    this.tunnelled += text
    socket.write(text, 'latin1')
  }
}

/** The value of the first field of that name, in lower case. */
export function valueIn(fields: RecordedRequest['fields'], lowerCase: string): string | undefined {
  return fields.find(([name]) => name.toLowerCase() === lowerCase)?.[1]
}

function readRequest(text: string, socket: Socket): Read | undefined {
  const end = text.indexOf('\r\n\r\n')
  if (end === -1) return undefined
  const [line = '', ...rest] = text.slice(0, end).split('\r\n')
  const [, method, target] = /^([!#$%&'*+.^_`|~\w-]+) (\S+) HTTP\/1\.[01]$/.exec(line) ?? []
  if (method === undefined || target === undefined)
    return { request: { method: '', target: text.slice(0, end), fields: [], body: '', trailers: [] }, bytes: end + 4 }
  const fields = rest.map(fieldIn)
  const begin = end + 4
  if (/chunked/i.test(valueIn(fields, 'transfer-encoding') ?? '')) {
    const read = readChunks(text, begin)
    if (read === undefined && valueIn(fields, 'expect') !== undefined && text.length === begin)
      socket.write('HTTP/1.1 100 Continue\r\n\r\n')
    return read && { request: { method, target, fields, body: read.body, trailers: read.trailers }, bytes: read.end }
  }
  const length = Number(valueIn(fields, 'content-length') ?? 0)
  if (text.length < begin + length) {
    if (valueIn(fields, 'expect') !== undefined && text.length === begin) socket.write('HTTP/1.1 100 Continue\r\n\r\n')
    return undefined
  }
  return { request: { method, target, fields, body: text.slice(begin, begin + length), trailers: [] }, bytes: begin + length }
}

function readChunks(text: string, begin: number): { body: string; trailers: RecordedRequest['fields']; end: number } | undefined {
  let body = ''
  for (let at = begin; ; ) {
    const line = text.indexOf('\r\n', at)
    if (line === -1) return undefined
    const size = Number.parseInt(text.slice(at, line), 16)
    if (size === 0) {
      const end = text.startsWith('\r\n', line + 2) ? line : text.indexOf('\r\n\r\n', line)
      if (end === -1) return undefined
      const trailers = text
        .slice(line + 2, end)
        .split('\r\n')
        .filter(Boolean)
      return { body, trailers: trailers.map(fieldIn), end: end + 4 }
    }
    if (text.length < line + 2 + size + 2) return undefined
    body += text.slice(line + 2, line + 2 + size)
    at = line + 2 + size + 2
  }
}

function fieldIn(line: string): readonly [string, string] {
  const colon = line.indexOf(':')
  return [line.slice(0, colon), line.slice(colon + 1).trim()]
}
