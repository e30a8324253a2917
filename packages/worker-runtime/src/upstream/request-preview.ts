// What an upstream server would get of a request that a user describes, for `balancer explain`. The code that passes on requests works it out.

import type { IncomingMessage } from 'node:http'
import { trustedPeer } from '@switchyard/routing'
import type { UpstreamAddress, UpstreamStart } from '../upstream-start.ts'
import { type FieldRefusal, proxiedFields, pseudonymOf } from './fields/request-fields.ts'
import { hostFor, upstreamTarget } from './fields/request-target.ts'

export interface PreviewOptions {
  readonly method: string
  readonly target: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** IP address of the client. */
  readonly from: string
  readonly isTls: boolean
  readonly pool: string
  readonly upstream: Pick<UpstreamStart, 'host' | 'stripPrefix' | 'addPrefix'>
  readonly server: UpstreamAddress
  readonly trustedProxies: readonly string[]
}

export interface RequestPreview {
  readonly target: string
  readonly host: string
  /** All fields but Host and those of the connection. */
  readonly fields: readonly (readonly [name: string, value: string])[]
  /** Names of the client's fields that are not passed on, or not as they were sent. */
  readonly removed: readonly string[]
}

/** The request that a server gets, or why it gets none. */
export function previewRequest(options: PreviewOptions): RequestPreview | FieldRefusal {
  const { method, headers, from, isTls, pool, upstream, server, trustedProxies } = options
  const { stripPrefix, addPrefix } = upstream
  const found = upstreamTarget(method, options.target, { strip: stripPrefix, add: addPrefix })
  if (found === undefined) return { status: 400, reason: 'bad target' }
  const isUpgrade = headers.some(([name]) => name.toLowerCase() === 'upgrade')
  const fields = { pseudonym: pseudonymOf(pool), trusts: trustedPeer(trustedProxies), trustedProxies, stripPrefix }
  const proxied = proxiedFields(requestOf(method, headers, from, isTls), found.authority, isUpgrade, fields)
  if ('status' in proxied) return proxied
  const pairs = Array.from({ length: proxied.fields.length / 2 }, (_, at) => proxied.fields.slice(2 * at, 2 * at + 2))
  const passed = new Set(pairs.map(([name, value]) => `${name}: ${value}`))
  return {
    target: found.target,
    host: hostFor(server, upstream.host, proxied.host),
    fields: pairs.map(([name = '', value = '']) => [name, value]),
    removed: headers.filter(([name, value]) => name.toLowerCase() !== 'host' && !passed.has(`${name}: ${value}`)).map(([name]) => name),
  }
}

/** As much of a parsed request as the fields need. */
function requestOf(method: string, sent: PreviewOptions['headers'], from: string, isTls: boolean): IncomingMessage {
  const headers: Record<string, string> = {}
  for (const [name, value] of sent) {
    const lower = name.toLowerCase()
    headers[lower] = headers[lower] === undefined ? value : `${headers[lower]}, ${value}`
  }
  const socket = { remoteAddress: from, encrypted: isTls }
  return { method, headers, rawHeaders: sent.flat(), httpVersion: '1.1', socket } as unknown as IncomingMessage
}
