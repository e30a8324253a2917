// A client of HTTP/2, for one connection.

import { createHash } from 'node:crypto'
import type { SecureClientSessionOptions } from 'node:http2'
import { type ClientHttp2Session, type ClientHttp2Stream, type ClientSessionOptions, connect, type OutgoingHttpHeaders } from 'node:http2'
import { atSuiteEnd } from '../../../../../test/suite.ts'
import { patience } from '../../../../../test/support/patience.ts'

export interface Http2Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** Interim statuses. */
  readonly interim: readonly number[]
  readonly body: string
  readonly sha256: string
  readonly trailers: Readonly<Record<string, string | string[] | undefined>>
  /** The code with which the stream was reset; 0: it was not. */
  readonly rstCode: number
}

const WAIT_MS = 20_000
const NONE = Buffer.alloc(0)

export class Http2Client {
  readonly session: ClientHttp2Session
  readonly faults: string[] = []

  constructor(url: string, options: ClientSessionOptions | SecureClientSessionOptions = {}) {
    this.session = connect(url, { rejectUnauthorized: false, maxSessionMemory: 100, ...options })
    this.session.on('error', (error) => this.faults.push(error.message))
    atSuiteEnd(() => this.session.destroy())
  }

  /** Opens a stream, for tests that write and read it themselves. */
  open(path: string, headers: OutgoingHttpHeaders = {}, endStream = false): ClientHttp2Stream {
    const stream = this.session.request({ ':path': path, ...headers }, { endStream })
    stream.on('error', () => {})
    return stream
  }

  get(path: string, headers: OutgoingHttpHeaders = {}): Promise<Http2Answer> {
    return answerTo(this.open(path, headers, true))
  }

  /** `trailers`: sent behind the body. */
  post(path: string, body: Buffer | string, headers: OutgoingHttpHeaders = {}, trailers?: OutgoingHttpHeaders): Promise<Http2Answer> {
    const all = { ':path': path, ':method': 'POST', ...headers }
    const stream = this.session.request(all, { waitForTrailers: trailers !== undefined })
    stream.on('error', () => {})
    if (trailers !== undefined) stream.on('wantTrailers', () => stream.sendTrailers(trailers))
    const answer = answerTo(stream)
    stream.end(body)
    return answer
  }

  async json<T>(path: string, headers: OutgoingHttpHeaders = {}): Promise<T> {
    return JSON.parse((await this.get(path, headers)).body) as T
  }

  close(): void {
    this.session.destroy()
  }
}

/** Resolves when the stream has closed. */
export function answerTo(stream: ClientHttp2Stream): Promise<Http2Answer> {
  const parts: Buffer[] = []
  const interim: number[] = []
  let headers: Record<string, string | string[] | undefined> = {}
  let trailers: Record<string, string | string[] | undefined> = {}
  stream.on('headers', (fields) => interim.push(Number(fields[':status'])))
  stream.on('response', (fields) => {
    headers = { ...fields, ':status': undefined }
    status = Number(fields[':status'])
  })
  let status = 0
  stream.on('trailers', (fields) => {
    trailers = { ...fields }
  })
  stream.on('data', (part: Buffer) => parts.push(part))
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new Error(`no answer within ${WAIT_MS} ms`))
      stream.close()
    }, patience(WAIT_MS))
    stream.once('close', () => {
      clearTimeout(timer)
      const all = parts.length === 0 ? NONE : Buffer.concat(parts)
      const sha256 = createHash('sha256').update(all).digest('hex')
      resolve({ status, headers, interim, body: all.toString('latin1'), sha256, trailers, rstCode: stream.rstCode ?? 0 })
    })
  })
}
