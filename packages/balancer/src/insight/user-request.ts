// A request that a user describes, as the primary's own parser reads it, so that ambiguous heads are recognised here too.

import { RequestHead, readListener } from '@switchyard/routing'

export interface UserRequest {
  readonly method: string
  readonly target: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** IP address of the client. */
  readonly from: string
  /** The listener over which the connection comes. Left out: unknown. */
  readonly listener?: string | undefined
}

/** The head of the request. Without a Host field it gets `localhost`. */
export function headOf({ method, target, headers, from, listener }: UserRequest, maxBytes: number): RequestHead {
  const named = headers.some(([name]) => name.toLowerCase() === 'host') ? headers : [['Host', 'localhost'] as const, ...headers]
  const text = [`${method} ${target} HTTP/1.1`, ...named.map(([name, value]) => `${name}: ${value}`), '', ''].join('\r\n')
  const bytes = Buffer.from(text, 'latin1')
  const head = RequestHead.read(bytes, bytes.length, maxBytes)
  head.remoteAddress = from
  if (listener !== undefined) head.listener = readListener(listener)
  return head
}
