// Rewrites what an upstream server says of itself to its clients, where the proxy shows the server under another path or name: Location, Content-Location,
// and the Path and Domain of cookies. As nginx's proxy_redirect, proxy_cookie_path and proxy_cookie_domain.

import { isField } from '../../forward/raw-fields.ts'

export interface RewritingOptions {
  /** Removed from the paths of requests, so added to those of answers. */
  readonly stripPrefix: string | undefined
  /** Added to the paths of requests, so removed from those of answers. */
  readonly addPrefix: string | undefined
  /** Does the server see its own name instead of the client's Host? */
  readonly hidesHost: boolean
  readonly locations: boolean
  readonly cookies: boolean
}

/** The two names of one server. */
export interface RewritingNames {
  /** As the server sees it: scheme, and host with a port other than the usual one. */
  readonly upstream: { readonly protocol: 'http' | 'https'; readonly host: string }
  /** As its clients see it. */
  readonly client: { readonly protocol: 'http' | 'https'; readonly host: string }
}

const ABSOLUTE = /^(https?):\/\/([^/?#]*)(.*)$/is
const DEFAULT_PORT = { http: ':80', https: ':443' }
/** A browser takes a cookie of this name only with Path=/ and without Domain. */
const HOST_COOKIE = /^\s*__Host-/i

/** Returns what changes the fields of an answer in place. undefined: nothing needs to be changed. */
export function answerRewriting(options: RewritingOptions): ((fields: string[], names: () => RewritingNames) => void) | undefined {
  const { stripPrefix, addPrefix, hidesHost, locations, cookies } = options
  if (stripPrefix === undefined && addPrefix === undefined && !hidesHost) return undefined
  if (!locations && !cookies) return undefined
  return (fields, names) => {
    for (let at = 0; at < fields.length; at += 2) {
      const name = fields[at] as string
      const value = fields[at + 1] as string
      if (locations && (isField(name, 'location') || isField(name, 'content-location'))) fields[at + 1] = location(value, names(), options)
      else if (cookies && isField(name, 'set-cookie')) fields[at + 1] = setCookie(value, names(), options)
    }
  }
}

function location(value: string, { upstream, client }: RewritingNames, options: RewritingOptions): string {
  // A network-path reference names another host.
  if (value.startsWith('/') && !value.startsWith('//')) return clientPath(value, options)
  const [, scheme = '', authority = '', rest = ''] = ABSOLUTE.exec(value) ?? []
  if (authority === '') return value
  const protocol = scheme.toLowerCase() as 'http' | 'https'
  if (!isSameHost(authority, protocol, upstream) && !(authority === client.host && protocol === client.protocol)) return value
  const path = rest.startsWith('/') ? rest : `/${rest}`
  return `${client.protocol}://${client.host}${clientPath(path, options)}`
}

function isSameHost(authority: string, protocol: 'http' | 'https', upstream: RewritingNames['upstream']): boolean {
  const plain = (host: string, scheme: 'http' | 'https') => {
    const lower = host.toLowerCase()
    return lower.endsWith(DEFAULT_PORT[scheme]) ? lower.slice(0, -DEFAULT_PORT[scheme].length) : lower
  }
  return protocol === upstream.protocol && plain(authority, protocol) === plain(upstream.host, upstream.protocol)
}

/** A path of the server as its clients reach it. */
function clientPath(path: string, { stripPrefix, addPrefix }: RewritingOptions): string {
  const inner = addPrefix !== undefined && isBelow(path, addPrefix) ? path.slice(addPrefix.length) : path
  // A path outside of the prefix can't be reached through this pool, so it means another part of the site.
  if (addPrefix !== undefined && inner === path) return path
  const rooted = inner.startsWith('/') ? inner : `/${inner}`
  return stripPrefix === undefined ? rooted : stripPrefix + rooted
}

function isBelow(path: string, prefix: string): boolean {
  return path.startsWith(prefix) && /^([/?#]|$)/.test(path.slice(prefix.length, prefix.length + 1))
}

function setCookie(value: string, { upstream }: RewritingNames, options: RewritingOptions): string {
  if (HOST_COOKIE.test(value)) return value
  const [pair = '', ...attributes] = value.split(';')
  const kept = attributes.flatMap((attribute) => {
    const [, name = '', text = ''] = /^\s*(path|domain)\s*=\s*(.*?)\s*$/is.exec(attribute) ?? []
    if (/^path$/i.test(name) && text.startsWith('/')) return [` Path=${cookiePath(text, options)}`]
    // Without a domain the cookie belongs to the host that the client sees.
    if (/^domain$/i.test(name) && options.hidesHost && covers(text, upstream.host)) return []
    return [attribute]
  })
  return [pair, ...kept].join(';')
}

/** `/` stays without a slash at the end: `/api` covers `/api/` too. */
function cookiePath(path: string, options: RewritingOptions): string {
  const { stripPrefix, addPrefix } = options
  // A cookie for all of the server, or for more than what is shown of it.
  const isWider = addPrefix !== undefined && (path === '/' || isBelow(addPrefix, path))
  if (isWider) return stripPrefix ?? '/'
  const shown = clientPath(path, options)
  return shown.length > 1 && path === '/' ? shown.slice(0, -1) : shown
}

function covers(domain: string, host: string): boolean {
  const name = domain.replace(/^\./, '').toLowerCase()
  const own = host.toLowerCase().replace(/:\d+$/, '')
  return own === name || own.endsWith(`.${name}`)
}
