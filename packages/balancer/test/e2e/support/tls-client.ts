// A client of TLS listeners: one handshake, and requests on its connection.

import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { patience } from '../../../../../test/support/patience.ts'

export interface TlsAnswer {
  readonly status: number
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
}

const WAIT_MS = 10_000

/** An open connection. */
export class TlsClient {
  readonly socket: TLSSocket
  /** The last session that the server has given. */
  session: Buffer | undefined
  ocsp: Buffer | null | undefined
  private received = ''
  private failure: Error | undefined
  private wake = () => {}

  private constructor(socket: TLSSocket) {
    this.socket = socket
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => {
      this.received += text
      this.wake()
    })
    socket.on('session', (session) => {
      this.session = session
    })
    socket.on('OCSPResponse', (response: Buffer | null) => {
      this.ocsp = response
    })
    socket.on('error', (error) => this.fail(error))
    socket.on('close', () => this.fail(new Error('the connection is closed')))
  }

  /** Resolves after the handshake; rejects if it fails. Any certificate is accepted unless `options` say otherwise. */
  static open(port: number, options: ConnectionOptions = {}): Promise<TlsClient> {
    return new Promise((resolve, reject) => {
      const client = new TlsClient(connect({ port, host: '127.0.0.1', servername: '', rejectUnauthorized: false, ...options }))
      client.socket.once('secureConnect', () => resolve(client))
      client.socket.once('error', reject)
      client.socket.once('close', () => reject(new Error('closed during the handshake')))
    })
  }

  /** The first name of the server's certificate. */
  get serverName(): string {
    return this.socket.getPeerCertificate().subject.CN as string
  }

  async get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<TlsAnswer> {
    const fields = Object.entries({ Host: 'test', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`)
    this.socket.write(`GET ${path} HTTP/1.1\r\n${fields.join('')}\r\n`)
    const head = await this.until(() => /^([\s\S]*?)\r\n\r\n/.exec(this.received)?.[1])
    const [first = '', ...lines] = head.split('\r\n')
    const found = new Map(lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]))
    const status = Number(first.split(' ')[1])
    const from = head.length + 4
    const length = Number(found.get('content-length') ?? 0)
    await this.until(() => this.received.length >= from + length || undefined)
    const body = this.received.slice(from, from + length)
    this.received = this.received.slice(from + length)
    return { status, headers: found, body }
  }

  async getJson<T>(path: string): Promise<T> {
    return JSON.parse((await this.get(path)).body) as T
  }

  /** Resolves with what has come when it contains `text`. */
  untilText(text: string): Promise<string> {
    return this.until(() => (this.received.includes(text) ? this.received : undefined))
  }

  async closed(): Promise<void> {
    await this.until(() => (this.socket.closed ? true : undefined))
  }

  destroy(): void {
    this.socket.destroy()
  }

  private fail(error: Error): void {
    this.failure ??= error
    this.wake()
  }

  private async until<T>(ready: () => T | undefined): Promise<T> {
    const untilMs = performance.now() + patience(WAIT_MS)
    for (;;) {
      const value = ready()
      if (value !== undefined) return value
      if (this.failure !== undefined) throw this.failure
      const leftMs = untilMs - performance.now()
      if (leftMs <= 0) throw new Error(`no more came: ${this.received}`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs)
        this.wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }
}

/** One request on a connection of its own. */
export async function getOnce<T>(port: number, path: string, options: ConnectionOptions = {}): Promise<T> {
  const client = await TlsClient.open(port, options)
  const answer = await client.getJson<T>(path)
  client.destroy()
  return answer
}
