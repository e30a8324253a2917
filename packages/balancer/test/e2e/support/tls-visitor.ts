// A client that visits an https app again and again, each time on a new connection that resumes the last session.

import { connect, type SecureVersion } from 'node:tls'
import { patience } from '../../../../../test/support/patience.ts'

export interface Visit {
  /** Did the client resume its session? */
  readonly resumed: boolean
  /** What the app tells of its worker. */
  readonly slot: number
}

export interface TlsVisitorOptions {
  readonly port: number
  readonly version: SecureVersion
  readonly servername?: string
  /** Keeps the cookies that the app sets. Default false. */
  readonly keepsCookies?: boolean
}

export class TlsVisitor {
  /** Sent with the next request. */
  cookie: string | undefined
  session: Buffer | undefined
  private readonly options: TlsVisitorOptions

  constructor(options: TlsVisitorOptions) {
    this.options = options
  }

  /** One GET on a new connection. Rejects unless the answer is a 200 in JSON. */
  async visit(path = '/'): Promise<Visit> {
    const { port, version, servername = 'localhost', keepsCookies = false } = this.options
    const presented = this.session
    const socket = connect({
      port,
      servername,
      rejectUnauthorized: false,
      minVersion: version,
      maxVersion: version,
      ...(presented !== undefined && { session: presented }),
    })
    socket.setTimeout(patience(20_000), () => socket.destroy(new Error('the visit took too long')))
    socket.on('session', (session: Buffer) => {
      this.session = session
    })
    const cookie = this.cookie === undefined ? '' : `Cookie: ${this.cookie}\r\n`
    socket.write(`GET ${path} HTTP/1.1\r\nHost: ${servername}\r\n${cookie}Connection: close\r\n\r\n`)
    let resumed = false
    socket.once('secureConnect', () => {
      resumed = socket.isSessionReused()
    })
    let text = ''
    for await (const chunk of socket) text += chunk
    const [head = '', body = ''] = text.split('\r\n\r\n', 2)
    if (!head.startsWith('HTTP/1.1 200')) throw new Error(`expected 200, got ${JSON.stringify(text)}`)
    const set = /^set-cookie: ([^;\r]+)/im.exec(head)?.[1]
    if (keepsCookies && set !== undefined) this.cookie = set
    const json = body.slice(body.indexOf('{'), body.lastIndexOf('}') + 1)
    return { resumed, slot: (JSON.parse(json) as { slot: number }).slot }
  }
}
