// A server for one test on a free port, and a client that keeps cookies.

import { createServer, type IncomingHttpHeaders, type RequestListener, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface SmallServer {
  readonly port: number
  close(): Promise<void>
}

/** Closes each connection after its response. */
export async function startServer(listener: RequestListener): Promise<SmallServer> {
  const server: Server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

export interface SmallAnswer {
  readonly status: number
  readonly text: string
  readonly headers: IncomingHttpHeaders
  /** The Set-Cookie fields of the response. */
  readonly setCookies: readonly string[]
  /** Was the response complete? */
  readonly isWhole: boolean
}

export class Browser {
  private readonly port: number
  readonly jar: Map<string, string>

  constructor({ port }: { readonly port: number }, jar: Iterable<readonly [string, string]> = []) {
    this.port = port
    this.jar = new Map(jar)
  }

  /** A second client with the same cookies. */
  copy(): Browser {
    return new Browser({ port: this.port }, this.jar)
  }

  ask(path = '/', { method = 'GET', headers = {} }: { method?: string; headers?: Record<string, string> } = {}): Promise<SmallAnswer> {
    const cookie = [...this.jar].map(([name, value]) => `${name}=${value}`).join('; ')
    return new Promise((resolve, reject) => {
      const asked = request({
        host: '127.0.0.1',
        port: this.port,
        path,
        method,
        agent: false,
        headers: { ...(cookie === '' ? {} : { cookie }), ...headers },
      })
      asked.once('error', reject)
      asked.once('response', (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (piece: string) => {
          text += piece
        })
        response.once('error', () => {})
        response.once('close', () => {
          const setCookies = response.headers['set-cookie'] ?? []
          for (const field of setCookies) this.keep(field)
          resolve({ status: response.statusCode ?? 0, text, headers: response.headers, setCookies, isWhole: response.complete })
        })
      })
      asked.end()
    })
  }

  private keep(field: string): void {
    const [pair = ''] = field.split(';')
    const equals = pair.indexOf('=')
    if (/; *Max-Age=0(;|$)/i.test(field)) this.jar.delete(pair.slice(0, equals))
    else this.jar.set(pair.slice(0, equals), pair.slice(equals + 1))
  }
}
