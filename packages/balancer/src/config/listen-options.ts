// `listen` and `unbalanced`: addresses as 3000, '127.0.0.1:3000', '[::1]:3000', '/run/app.sock', 'unix:app.sock', or an object.

import { resolve } from 'node:path'
import { type ListenerProtocol, listenerProtocols } from '@switchyard/routing'
import * as v from 'valibot'
import type { ListenAddress, ProxyProtocolSettings } from '../listener-settings.ts'
import { type Fault, type Loose, listOf, looseOf } from './faults.ts'
import { type Http2Config, http2Entries, http2Faults, http2ListenSettings } from './http2-options.ts'
import { expected, flag, positive, shape, text, trustedProxyList, whole } from './schema.ts'
import { type HttpsRedirectConfig, type TlsConfig, tlsEntries, tlsListenFaults, tlsListenSettings } from './tls-options.ts'

/** Linux keeps 108 bytes for the path of a unix socket, the last for a NUL. */
export const MAX_SOCKET_PATH_BYTES = 107

const DEFAULT_BACKLOG = 511

/** An address in full. Either `path`, or `port` with or without `host`. */
export interface ListenOptions {
  /** Left out: every address, IPv6 and IPv4. */
  host?: string | undefined
  /** 0: the kernel chooses. */
  port?: number | undefined
  /** Path of a unix socket. */
  path?: string | undefined
  /** Do not accept IPv4 on an IPv6 address. Default false. */
  ipv6Only?: boolean | undefined
  /** Connections that the kernel keeps until they are accepted. Default 511. */
  backlog?: number | undefined
  /**
   * What clients speak. `detect`: HTTP/1, HTTP/2 or TLS, judged by the first bytes. `http`, `http2`: any other client gets a 400. `tls`: the worker
   * answers any other client. `tcp`: anything; nothing is read, so the server may speak first. Default: `detect` for HTTP and TLS servers, `tcp`
   * for others.
   */
  protocol?: ListenerProtocol | undefined
  /** The earlier form of `protocol`: true is `detect`, false is `tcp`. */
  peek?: boolean | undefined
  /** Connections of proxies in front begin with a header of the PROXY protocol, which names the client. Default: none does. */
  proxyProtocol?: ProxyProtocolConfig | undefined
  /** Workers end TLS there, for an app whose server is a plain one. Default: no. */
  tls?: TlsConfig | undefined
  /** Streams of HTTP/2 are steered one by one there, and workers end HTTP/2 for an app whose server is a plain one. Default: no. */
  http2?: Http2Config | undefined
  /** Every request there is answered with a redirect to https: `true`, or the port and the status. Default: no. */
  redirectToHttps?: HttpsRedirectConfig | undefined
  /** Webroot folder of HTTP-01 challenges: the primary answers `/.well-known/acme-challenge/` from it. Default: none. */
  acmeFolder?: string | undefined
}

/** The peers whose headers of the PROXY protocol are believed. */
export interface ProxyProtocolConfig {
  /** Addresses and CIDRs of the proxies, or 'unix' for peers on a unix socket. A header from another peer is refused. */
  from: readonly string[]
  /** false: a connection of these peers may begin without a header. Default true: it is refused. */
  required?: boolean | undefined
}

/** A port, `'host:port'`, the path of a unix socket (`'/run/app.sock'` or `'unix:app.sock'`), or the address in full. */
export type ListenConfig = number | string | ListenOptions

export const listenEntries = {
  host: v.optional(text),
  port: whole(0, 65535, 'a port from 0 to 65535'),
  path: v.optional(text),
  ipv6Only: flag,
  backlog: positive(),
  protocol: v.optional(v.picklist(listenerProtocols, `one of ${listenerProtocols.map((name) => `'${name}'`).join(', ')}`)),
  peek: flag,
  proxyProtocol: v.optional(shape({ from: trustedProxyList, required: flag }, "an object with 'from'")),
  ...tlsEntries,
  ...http2Entries,
}

const fullAddress = shape(listenEntries)
const address = v.lazy((input) =>
  typeof input === 'object' && input !== null && !Array.isArray(input)
    ? fullAddress
    : expected(
        v.union([v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(65535)), v.string()]),
        "a port from 0 to 65535, 'host:port', the path of a socket or an object",
      ),
)

export const listen = v.optional(
  v.lazy((input) => (Array.isArray(input) ? v.pipe(v.array(address), v.nonEmpty('at least one address')) : address)),
)

export const unbalanced = v.optional(v.array(address, 'a list of addresses'))

export function listenFaults({ listen, unbalanced }: Loose, folder: string, env: NodeJS.ProcessEnv): Fault[] {
  return [
    ...addressFaults('listen', listen, folder),
    ...addressFaults('unbalanced', listOf(unbalanced), folder),
    ...proxyFaults('listen', listen, ({ peek, proxyProtocol }) =>
      peek === false && looseOf(proxyProtocol).required === false
        ? "'required: false' needs 'peek': a server that speaks first would wait for a client that waits for it"
        : undefined,
    ),
    ...proxyFaults('unbalanced', listOf(unbalanced), () => 'the kernel passes these connections to the workers, so no header can be read'),
    ...tlsListenFaults({ listen, unbalanced }, folder, env),
    ...http2Faults({ listen, unbalanced }),
  ]
}

function proxyFaults(option: string, addresses: unknown, faultOf: (address: Loose) => string | undefined): Fault[] {
  return [addresses].flat().flatMap((one, index) => {
    const address = looseOf(one)
    const message = address.proxyProtocol === undefined ? undefined : faultOf(address)
    return message === undefined ? [] : [{ path: `${option}${Array.isArray(addresses) ? `[${index}]` : ''}.proxyProtocol`, message }]
  })
}

function addressFaults(option: string, addresses: unknown, folder: string): Fault[] {
  const seen = new Map<string, string>()
  return [addresses].flat().flatMap((one, index) => {
    const path = Array.isArray(addresses) ? `${option}[${index}]` : option
    if (!isListenConfig(one)) return []
    const parsed = parseListen(one, folder)
    if ('fault' in parsed) return [{ path, message: parsed.fault }]
    const address = formatAddress(parsed.value)
    const earlier = seen.get(address)
    seen.set(address, path)
    return earlier === undefined || parsed.value.port === 0 ? [] : [{ path, message: `the same address as ${earlier}` }]
  })
}

/** false: the schema reports it. */
function isListenConfig(value: unknown): value is ListenConfig {
  if (typeof value === 'string' || isPort(value)) return true
  const { port, path, host } = looseOf(value)
  return (
    typeof value === 'object' &&
    value !== null &&
    (port === undefined || isPort(port)) &&
    (path === undefined || typeof path === 'string') &&
    (host === undefined || typeof host === 'string')
  )
}

function isPort(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 65535
}

/** Addresses of a checked config. */
export function listenSettings(addresses: ListenConfig | readonly ListenConfig[], folder: string, env: NodeJS.ProcessEnv): ListenAddress[] {
  const all = [addresses].flat() as ListenConfig[]
  return all.map((one) => {
    const { value } = parseListen(one, folder) as { value: ListenAddress }
    return typeof one === 'object' ? { ...value, ...tlsListenSettings(one, all, folder, env), ...http2ListenSettings(one.http2) } : value
  })
}

/** A parsed value, or what was expected of it. */
export type Parsed<T> = { value: T } | { fault: string }

/** Parses one address. A relative socket path starts from `folder`. */
export function parseListen(listen: ListenConfig, folder: string): Parsed<ListenAddress> {
  if (typeof listen === 'object') return fromOptions(listen, folder)
  if (typeof listen === 'number') return fromOptions({ port: listen }, folder)
  if (listen.startsWith('unix:')) return fromOptions({ path: listen.slice('unix:'.length) }, folder)
  if (listen.startsWith('/')) return fromOptions({ path: listen }, folder)
  const parsed = parseHostPort(listen)
  if ('fault' in parsed) return parsed
  const { host, port } = parsed.value
  return fromOptions(host === undefined ? { port } : { host, port }, folder)
}

/** Parses `host:port`, `[v6]:port`, `:port`, `*:port` or a bare port. */
export function parseHostPort(text: string): Parsed<{ host: string | undefined; port: number }> {
  const [, bracketed, plain, digits] = /^(?:(?:\[([^\]]+)\]|([^:[\]]*)):)?(\d{1,5})$/.exec(text.trim()) ?? []
  const port = Number(digits)
  if (digits === undefined || port > 65535)
    return { fault: `expected a port, 'host:port', '[::1]:port' or the path of a socket, got '${text}'` }
  const host = bracketed ?? plain
  return { value: { host: host === undefined || host === '' || host === '*' ? undefined : host, port } }
}

/** Formats an address so that `parseListen` parses it again. */
export function formatAddress({
  host,
  port,
  path,
}: {
  host?: string | undefined
  port?: number | undefined
  path?: string | undefined
}): string {
  if (path !== undefined) return path
  if (host === undefined) return `*:${port}`
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** For people, such as `PROXY protocol from 10.0.0.0/8`. */
export function proxyProtocolText({ from, required }: ProxyProtocolSettings): string {
  return `PROXY protocol${required ? '' : ', if sent,'} from ${from.join(', ')}`
}

function fromOptions(options: ListenOptions, folder: string): Parsed<ListenAddress> {
  const { host, port, path, ipv6Only = false, backlog = DEFAULT_BACKLOG, protocol, peek } = options
  if (protocol !== undefined && peek !== undefined) return { fault: 'expected either protocol or peek, got both' }
  const heads = protocol === undefined ? { peek } : headsOf(protocol)
  const proxyProtocol = options.proxyProtocol && { from: options.proxyProtocol.from, required: options.proxyProtocol.required ?? true }
  const shared = { backlog, ...heads, ...(proxyProtocol && { proxyProtocol }) }
  if (path === undefined) {
    if (port === undefined) return { fault: 'expected a port or a path' }
    return { value: { host, port, path: undefined, ipv6Only, ...shared } }
  }
  if (host !== undefined || port !== undefined) return { fault: 'expected either a path or a host and port, got both' }
  if (path === '') return { fault: 'expected the path of a socket, got an empty one' }
  const socketPath = resolve(folder, path)
  const bytes = Buffer.byteLength(socketPath)
  if (bytes > MAX_SOCKET_PATH_BYTES)
    return { fault: `expected a socket path of at most ${MAX_SOCKET_PATH_BYTES} bytes, got ${bytes}: ${socketPath}` }
  return { value: { host: undefined, port: undefined, path: socketPath, ipv6Only: false, ...shared } }
}

function headsOf(protocol: ListenerProtocol): Pick<ListenAddress, 'peek' | 'protocol'> {
  if (protocol === 'tcp') return { peek: false }
  return { peek: true, ...(protocol !== 'detect' && { protocol }) }
}
