// A client that writes a test's bytes and keeps the bytes of the answer.

import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { patience } from '../../../../test/support/patience.ts'

const WAIT_MS = 5_000

export interface WireOptions {
  readonly tls?: boolean
  readonly timeoutMs?: number
}

/** One connection to 127.0.0.1. Received bytes are text, one character per byte. */
export class Wire {
  readonly socket: Socket
  text = ''
  /** The other side has ended its direction. */
  ended = false
  closed = false
  error: NodeJS.ErrnoException | undefined
  private readonly timeoutMs: number
  private readonly listeners = new Set<() => void>()

  constructor(port: number, { tls = false, timeoutMs = WAIT_MS }: WireOptions = {}) {
    this.timeoutMs = patience(timeoutMs)
    const options = { port, host: '127.0.0.1', allowHalfOpen: true }
    this.socket = tls ? connectTls({ ...options, rejectUnauthorized: false }) : connect({ ...options, noDelay: true })
    this.socket.setEncoding('latin1')
    this.socket.on('data', (text) => this.changed(() => (this.text += text)))
    this.socket.on('end', () => this.changed(() => (this.ended = true)))
    this.socket.on('close', () => this.changed(() => (this.closed = true)))
    this.socket.on('error', (error) => this.changed(() => (this.error = error)))
  }

  write(bytes: string | Buffer): this {
    if (typeof bytes === 'string') this.socket.write(bytes, 'latin1')
    else this.socket.write(bytes)
    return this
  }

  /** Ends the client's direction. */
  end(): this {
    this.socket.end()
    return this
  }

  destroy(): void {
    this.socket.destroy()
  }

  /** Resolves with all received text when it matches. */
  async untilText(pattern: RegExp | string): Promise<string> {
    await this.until(() => (typeof pattern === 'string' ? this.text.includes(pattern) : pattern.test(this.text)), `${pattern}`)
    return this.text
  }

  /** Resolves with all received text when the other side has ended or closed. */
  async untilEnd(): Promise<string> {
    await this.until(() => this.ended || this.closed, 'the end of the connection')
    return this.text
  }

  async untilClosed(): Promise<void> {
    await this.until(() => this.closed, 'the close of the connection')
  }

  private changed(change: () => void): void {
    change()
    for (const listener of [...this.listeners]) listener()
  }

  private until(condition: () => boolean, what: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const finish = (act: () => void): void => {
        clearTimeout(timer)
        this.listeners.delete(look)
        act()
      }
      const look = (): void => {
        if (condition()) finish(resolve)
        else if (this.closed)
          finish(() => reject(new Error(`closed before ${what}: ${JSON.stringify(this.text.slice(-300))} ${this.error ?? ''}`)))
      }
      const timer = setTimeout(
        () => finish(() => reject(new Error(`${what}: not within ${this.timeoutMs} ms: ${JSON.stringify(this.text.slice(-300))}`))),
        this.timeoutMs,
      )
      this.listeners.add(look)
      look()
    })
  }
}

/** The last request of a conversation: it is answered behind all others, and the connection closes. */
export const LAST = 'GET /last HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n'

/** The whole answer to these bytes until the connection ends. Dates are masked, and chunks joined, because chunk boundaries may change. */
export async function conversation(port: number, bytes: string | Buffer, options: WireOptions = {}): Promise<string> {
  const wire = new Wire(port, options)
  try {
    return withoutChunks(masked(await wire.write(bytes).untilEnd()))
  } finally {
    wire.destroy()
  }
}

/** Fields that always differ between two answers. */
export function masked(text: string): string {
  return text.replaceAll(/\w{3}, \d{2} \w{3} \d{4} \d{2}:\d{2}:\d{2} GMT/g, '<date>')
}

/** The answers with each chunked body in one piece; `<end>` replaces its last chunk. */
export function withoutChunks(text: string): string {
  const parts: string[] = []
  let at = 0
  for (;;) {
    const end = text.indexOf('\r\n\r\n', at)
    if (end === -1) break
    const head = text.slice(at, end + 4)
    parts.push(head)
    at = end + 4
    if (!/\r\ntransfer-encoding: chunked\r\n/i.test(head)) continue
    for (;;) {
      const line = text.indexOf('\r\n', at)
      if (line === -1 || !/^[0-9a-f]+$/.test(text.slice(at, line))) break
      const size = Number.parseInt(text.slice(at, line), 16)
      at = line + 2
      if (size === 0) {
        // An empty line ends the trailers, or stands alone without any.
        const last = text.startsWith('\r\n', at) ? at : text.indexOf('\r\n\r\n', at) + 2
        parts.push('<end>', text.slice(at, last + 2))
        at = last + 2
        break
      }
      parts.push(text.slice(at, at + size))
      at += size + 2
    }
  }
  return parts.join('') + text.slice(at)
}
