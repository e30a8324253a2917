// Remembers which upstream server a proxied request went to, for the access log. Requests of other workers have none.

import type { IncomingMessage } from 'node:http'

const key = Symbol('switchyard.upstream')

export interface RequestUpstream {
  /** As logs show it. */
  readonly name: string
  /** Until the answer began; -1: it has not. */
  ms: number
}

interface ProxiedRequest extends IncomingMessage {
  [key]?: RequestUpstream
}

/** The request is sent to this server. A request that is sent again has the last one. */
export function setUpstream(request: IncomingMessage, name: string): void {
  ;(request as ProxiedRequest)[key] = { name, ms: -1 }
}

/** Undefined: it was sent to none. */
export function upstreamOf(request: IncomingMessage): RequestUpstream | undefined {
  return (request as ProxiedRequest)[key]
}
