// A client that writes any bytes and reads HTTP/1 answers. No HTTP library would send the bad input of these tests.

import { connect, type NetConnectOpts, type Socket } from 'node:net'
import { patience } from '../../../../../test/support/patience.ts'

export interface Answer {
  readonly status: number
  /** Names in lower case; every value of a field, in order. */
  readonly headers: ReadonlyMap<string, readonly string[]>
  readonly body: Buffer
}

/** Where a client connects to: a port on 127.0.0.1, or options of `net.connect`. */
export type Target = number | NetConnectOpts

const WAIT_MS = 10_000

export class RawClient {
  readonly socket: Socket
  /** The error that ended the connection. */
  error: NodeJS.ErrnoException | undefined
  private received = Buffer.alloc(0)
  private ended = false
  private closed = false
  private readonly listeners = new Set<() => void>()

  constructor(target: Target) {
    const options = typeof target === 'number' ? { port: target, host: '127.0.0.1' } : target
    this.socket = connect({ allowHalfOpen: true, ...options })
    this.socket.setNoDelay(true)
    this.socket.on('data', (bytes) => {
      this.received = this.received.length === 0 ? bytes : Buffer.concat([this.received, bytes])
      this.changed()
    })
    this.socket.on('error', (error) => {
      this.error = error
      this.changed()
    })
    this.socket.on('connect', () => this.changed())
    this.socket.on('end', () => {
      this.ended = true
      this.changed()
    })
    this.socket.on('close', () => {
      this.closed = true
      this.changed()
    })
  }

  /** Resolves when connected; rejects when refused. */
  async connected(timeoutMs = WAIT_MS): Promise<this> {
    await this.until(() => !this.socket.connecting || this.closed || this.error !== undefined, timeoutMs, 'a connection')
    if (this.closed || this.error !== undefined) throw this.error ?? new Error('closed before it was connected')
    return this
  }

  write(bytes: string | Buffer): this {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
    return this
  }

  /**
   * The next complete answer. Without Content-Length and chunks the body ends with the connection. `method`: of the request; answers to HEAD
   * have no body.
   */
  async answer(timeoutMs = WAIT_MS, method = 'GET'): Promise<Answer> {
    let read: { answer: Answer; bytes: number } | undefined
    await this.until(
      () => {
        read = readAnswer(this.received, this.isOver, method)
        return read !== undefined || this.isOver
      },
      timeoutMs,
      'an answer',
    )
    if (read === undefined) throw new Error(`${this.error?.message ?? 'the connection ended'} before an answer: ${this.peek()}`)
    this.received = this.received.subarray(read.bytes)
    return read.answer
  }

  /** Resolves with the next `count` bytes. */
  async bytes(count: number, timeoutMs = WAIT_MS): Promise<Buffer> {
    await this.until(() => this.received.length >= count || this.isOver, timeoutMs, `${count} bytes`)
    if (this.received.length < count) throw new Error(`the connection ended before ${count} bytes: ${this.peek()}`)
    const bytes = this.received.subarray(0, count)
    this.received = this.received.subarray(count)
    return bytes
  }

  /** Resolves when the server has closed or reset the connection. */
  async over(timeoutMs = WAIT_MS): Promise<void> {
    await this.until(() => this.isOver, timeoutMs, 'the end of the connection')
  }

  get isOver(): boolean {
    return this.ended || this.closed
  }

  /** Received bytes that have not been read. */
  get unread(): number {
    return this.received.length
  }

  destroy(): void {
    this.socket.destroy()
  }

  private peek(): string {
    return JSON.stringify(this.received.subarray(0, 200).toString('latin1'))
  }

  private changed(): void {
    for (const listener of [...this.listeners]) listener()
  }

  private until(condition: () => boolean, quietMs: number, what: string): Promise<void> {
    const timeoutMs = patience(quietMs)
    return new Promise((resolve, reject) => {
      const check = (): void => {
        if (!condition()) return
        end()
        resolve()
      }
      const end = (): void => {
        clearTimeout(timer)
        this.listeners.delete(check)
      }
      const timer = setTimeout(() => {
        end()
        reject(new Error(`${what}: not within ${timeoutMs} ms; received ${this.peek()}`))
      }, timeoutMs)
      this.listeners.add(check)
      check()
    })
  }
}

/** One request on its own connection. */
export async function exchange(target: Target, bytes: string | Buffer, timeoutMs?: number): Promise<Answer> {
  const client = new RawClient(target)
  try {
    return await client.write(bytes).answer(timeoutMs)
  } finally {
    client.destroy()
  }
}

/** A GET with `Connection: close`, unless `headers` say otherwise. */
export function get(target: string, headers: Record<string, string> = {}): string {
  const fields = { Host: 'test', Connection: 'close', ...headers }
  return `GET ${target} HTTP/1.1\r\n${Object.entries(fields)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')}\r\n`
}

/** The pause of a client between two steps. A test that waits for something uses `until`. */
export function thinkTime(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

export function json<T>(answer: Answer): T {
  return JSON.parse(answer.body.toString('utf8')) as T
}

function readAnswer(bytes: Buffer, over: boolean, method: string): { answer: Answer; bytes: number } | undefined {
  const end = bytes.indexOf('\r\n\r\n')
  if (end === -1) return undefined
  const [first = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n')
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(first)?.[1])
  if (Number.isNaN(status)) throw new Error(`no status line: ${JSON.stringify(first)}`)
  const headers = new Map<string, string[]>()
  for (const line of lines) {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).toLowerCase()
    headers.set(name, [...(headers.get(name) ?? []), line.slice(colon + 1).trim()])
  }
  const start = end + 4
  if (method === 'HEAD') return { answer: { status, headers, body: Buffer.alloc(0) }, bytes: start }
  const length = headers.get('content-length')?.[0]
  if (length === undefined && status >= 200 && status !== 204 && status !== 304) {
    if (headers.has('transfer-encoding')) return readChunked(bytes, start, status, headers)
    return over ? { answer: { status, headers, body: bytes.subarray(start) }, bytes: bytes.length } : undefined
  }
  const whole = start + Number(length ?? 0)
  return bytes.length < whole ? undefined : { answer: { status, headers, body: bytes.subarray(start, whole) }, bytes: whole }
}

function readChunked(bytes: Buffer, start: number, status: number, headers: Map<string, string[]>) {
  const parts: Buffer[] = []
  for (let at = start; ; ) {
    const line = bytes.indexOf('\r\n', at)
    if (line === -1) return undefined
    const size = Number.parseInt(bytes.toString('latin1', at, line), 16)
    if (size === 0) {
      // Trailers after the last chunk are added to the fields as `trailers`.
      const end = bytes.indexOf('\r\n\r\n', line)
      if (end === -1) return undefined
      const trailers = bytes.toString('latin1', line + 2, end)
      if (trailers !== '') headers.set('trailers', [trailers])
      return { answer: { status, headers, body: Buffer.concat(parts) }, bytes: end + 4 }
    }
    const next = line + 2 + size + 2
    if (bytes.length < next) return undefined
    parts.push(bytes.subarray(line + 2, line + 2 + size))
    at = next
  }
}
