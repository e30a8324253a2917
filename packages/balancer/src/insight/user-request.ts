// A request or a TLS connection that a user describes, as the primary's own parser reads it, so that ambiguous heads are recognised here too.

import { helloWith, RequestHead, readListener } from '@switchyard/routing'

/** The ClientHello of a TLS connection. */
export interface UserHello {
  /** In lower case. Left out: none. */
  readonly serverName?: string | undefined
  readonly protocols: readonly string[]
}

export interface UserRequest {
  /** Left out, with `target`: the connection alone, before any request. Then there is a `hello`. */
  readonly method?: string | undefined
  readonly target?: string | undefined
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** Left out: the connection is not over TLS. */
  readonly hello?: UserHello | undefined
  /** IP address of the client. */
  readonly from: string
  /** The listener over which the connection comes. Left out: unknown. */
  readonly listener?: string | undefined
}

/** The head of the request, or of the connection. A request without a Host field gets the server name, or else `localhost`. */
export function headOf({ method, target, headers, hello, from, listener }: UserRequest, maxBytes: number): RequestHead {
  const around = hello && helloWith(hello.serverName, hello.protocols)
  const head =
    method === undefined || target === undefined
      ? RequestHead.ofHello(around ?? helloWith(undefined, []))
      : readHead(method, target, headers, hello?.serverName ?? 'localhost', maxBytes)
  if (around !== undefined) head.setHelloSource(around, (source) => source)
  head.remoteAddress = from
  if (listener !== undefined) head.listener = readListener(listener)
  return head
}

function readHead(method: string, target: string, headers: UserRequest['headers'], host: string, maxBytes: number): RequestHead {
  const named = headers.some(([name]) => name.toLowerCase() === 'host') ? headers : [['Host', host] as const, ...headers]
  const text = [`${method} ${target} HTTP/1.1`, ...named.map(([name, value]) => `${name}: ${value}`), '', ''].join('\r\n')
  const bytes = Buffer.from(text, 'latin1')
  return RequestHead.read(bytes, bytes.length, maxBytes)
}

/** One line for people, such as `GET /cart inside TLS for shop.example.com (h2) from 127.0.0.1`. */
export function requestText({ method, target, hello, from }: UserRequest): string {
  const tls = hello && `TLS ${hello.serverName === undefined ? 'without a server name' : `for ${hello.serverName}`}`
  const protocols = hello === undefined || hello.protocols.length === 0 ? '' : ` (${hello.protocols.join(', ')})`
  const what = method === undefined ? `a connection over ${tls}` : `${method} ${target}${tls === undefined ? '' : ` inside ${tls}`}`
  return `${what}${protocols} from ${from}`
}
