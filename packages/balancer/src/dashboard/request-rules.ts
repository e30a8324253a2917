// Decides which requests the dashboard refuses because of where they come from. Pure. Each rule names the attack that it stops.

import { hostFaultOf } from '../admin/host-rule.ts'

/** `page`: static files, without data. `read`: data. `act`: changes something. */
export type RequestKind = 'page' | 'read' | 'act'

/** What a request says of its origin. Header values are undefined where the header is missing. */
export interface RequestFacts {
  readonly hosts: readonly string[]
  readonly origin: string | undefined
  /** The header Sec-Fetch-Site, which every browser sends to loopback. */
  readonly site: string | undefined
  readonly contentType: string | undefined
  readonly remoteAddress: string | undefined
  /** A proxy passed the request on, so the remote address is not that of the client. */
  readonly isProxied: boolean
}

export interface Refusal {
  readonly status: 400 | 403 | 415 | 421
  readonly why: string
}

/**
 * undefined: the request may go on to the check of its session.
 * `names`: host names that the config allows.
 */
export function refusalOf(facts: RequestFacts, kind: RequestKind, names: readonly string[]): Refusal | undefined {
  const { hosts, origin, site, contentType } = facts
  const [host] = hosts
  if (hosts.length !== 1 || host === undefined) return { status: 400, why: 'exactly one Host header is expected' }
  const fault = hostFaultOf(hosts, names)
  if (fault !== undefined) return fault
  if (kind === 'page') return undefined
  // Requests that another site's page makes in the reader's browser. An app on another port of localhost is another site too.
  const isOwnSite = site === undefined || site === 'same-origin' || (kind === 'read' && site === 'none')
  if (!isOwnSite) return { status: 403, why: 'the request comes from a page of another origin' }
  const isOwnOrigin = origin === undefined ? kind === 'read' : isOriginOf(origin, host)
  if (!isOwnOrigin) return { status: 403, why: 'the Origin header is missing or names another origin' }
  // A form of another site can't send this type.
  if (kind === 'act' && !/^application\/json *(;|$)/i.test(contentType ?? ''))
    return { status: 415, why: 'the content type must be application/json' }
  return undefined
}

/** Does the request come from this machine? Then reading needs no session. */
export function isLocal({ remoteAddress = '', isProxied }: Pick<RequestFacts, 'remoteAddress' | 'isProxied'>): boolean {
  return !isProxied && /^(::ffff:)?127\.|^::1$/.test(remoteAddress)
}

/** The port of a Host header, or that of its protocol. */
export function portOf(host: string): string {
  return /:(\d+)$/.exec(host)?.[1] ?? '80'
}

function isOriginOf(origin: string, host: string): boolean {
  try {
    const url = new URL(origin)
    return /^https?:$/.test(url.protocol) && url.origin === origin && url.host === new URL(`${url.protocol}//${host}`).host
  } catch {
    return false
  }
}
