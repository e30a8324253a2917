// `upstream` of a pool: the servers that its workers are proxies for.

import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { resolve } from 'node:path'
import type { UpstreamAddress } from '@switchyard/worker-runtime'
import * as v from 'valibot'
import type { DnsSettings, UpstreamSettings } from '../../upstream-settings.ts'
import { type Fault, type Loose, listOf, looseOf } from '../faults.ts'
import { MAX_SOCKET_PATH_BYTES } from '../listen-options.ts'
import { defaultsOf, expected, flag, milliseconds, type Options, positive, schemasOf, shape, text, withDefaults } from '../schema.ts'
import type { PoolConfig } from './pool-options.ts'
import { defaultHealthWhen, probeSettings } from './probe-options.ts'

/** The servers, and how requests reach them. */
export interface UpstreamConfig {
  /** Such as `'http://127.0.0.1:9000'`, `'https://10.0.0.7'` or `'unix:/run/app.sock'`. */
  servers: readonly string[]
  /** Which `Host` a server sees. `'keep'`, the default: that of the client. `'upstream'`: its own name. */
  host?: 'keep' | 'upstream' | undefined
  /** Removed from the start of paths: with `'/api'` the server gets `/api/users` as `/users`. */
  stripPrefix?: string | undefined
  /** Put in front of paths, after `stripPrefix`. */
  addPrefix?: string | undefined
  /** PEM file of the authorities of https servers. Default: those that Node knows. */
  ca?: string | undefined
  /** Connections to one server, of all workers together. Default 256. */
  maxConnections?: number | undefined
  /** How long a connection may take to be made. Default 5000. */
  connectTimeoutMs?: number | undefined
  /** The longest silence of a server that owes an answer, or the rest of one. Default 60000. */
  responseTimeoutMs?: number | undefined
  /** How long a connection without a request is kept. Less than the servers' own limit. Default 4000. */
  idleTimeoutMs?: number | undefined
  /** The longest silence of a websocket. Default 3600000. */
  tunnelTimeoutMs?: number | undefined
  /** Connections begin with a header of the PROXY protocol, version 2. Each then serves one request. Default false. */
  proxyProtocol?: boolean | undefined
  /** Failures in a row after which a server gets no requests for a while. Default 3. */
  maxFailures?: number | undefined
  /** Length of the first of these whiles. Each further one is longer by this much, up to 5 minutes. Default 10000. */
  ejectionMs?: number | undefined
  /**
   * Where prefixes or `host: 'upstream'` make it necessary, `Location` and `Content-Location` of answers are changed to what clients see, as by
   * nginx's proxy_redirect. Default true.
   */
  rewriteLocations?: boolean | undefined
  /** The same for `Path` and `Domain` of cookies, as by nginx's proxy_cookie_path and proxy_cookie_domain. Default true. */
  rewriteCookies?: boolean | undefined
  /** How names of servers are looked up. */
  dns?: UpstreamDnsConfig | undefined
}

/** A name with several addresses is a server for each of them. Each is looked up again when its answer expires. */
export interface UpstreamDnsConfig {
  /** DNS servers, which alone are asked, such as `'10.0.0.2'` or `'[::1]:5353'`. Default: those of the system, and its own lookup. */
  servers?: readonly string[] | undefined
  /** An answer is used for at least so long. Default 1000. */
  minTtlMs?: number | undefined
  /** An answer is used for at most so long. Default 60000. */
  maxTtlMs?: number | undefined
  /** From one lookup to the next where the system's own lookup answers, which says no time. Default 30000. */
  intervalMs?: number | undefined
  /** How long DNS servers may take to answer. Default 4000. */
  timeoutMs?: number | undefined
  /** Addresses of one name that are used. Default 16. */
  maxAddresses?: number | undefined
}

const MAX_SERVERS = 256
const MAX_CA_BYTES = 4 * 1024 * 1024

type Bounds = Pick<
  UpstreamSettings,
  'maxConnections' | 'connectTimeoutMs' | 'responseTimeoutMs' | 'idleTimeoutMs' | 'tunnelTimeoutMs' | 'maxFailures' | 'ejectionMs'
>

const boundOptions: Options<Bounds> = {
  maxConnections: { schema: positive(), default: 256 },
  connectTimeoutMs: { schema: milliseconds(1), default: 5_000 },
  responseTimeoutMs: { schema: milliseconds(1), default: 60_000 },
  // Node's server ends idle connections after 5 s, and others later.
  idleTimeoutMs: { schema: milliseconds(1), default: 4_000 },
  tunnelTimeoutMs: { schema: milliseconds(1), default: 3_600_000 },
  maxFailures: { schema: positive(), default: 3 },
  ejectionMs: { schema: milliseconds(1), default: 10_000 },
}

export const defaultUpstream = defaultsOf(boundOptions)

type DnsBounds = Omit<DnsSettings, 'servers'>

const dnsOptions: Options<DnsBounds> = {
  minTtlMs: { schema: milliseconds(1), default: 1_000 },
  maxTtlMs: { schema: milliseconds(1), default: 60_000 },
  intervalMs: { schema: milliseconds(1), default: 30_000 },
  timeoutMs: { schema: milliseconds(1), default: 4_000 },
  maxAddresses: { schema: positive(), default: 16 },
}

export const defaultUpstreamDns = defaultsOf(dnsOptions)

const MAX_DNS_SERVERS = 8
const dnsServer = expected(
  v.pipe(
    v.string(),
    v.check((text) => isDnsServer(text)),
  ),
  "an address with or without a port, such as '10.0.0.2' or '[::1]:5353'",
)
export const upstreamDnsEntries = {
  servers: v.optional(
    v.pipe(v.array(dnsServer, 'a list of addresses'), v.maxLength(MAX_DNS_SERVERS, `at most ${MAX_DNS_SERVERS} servers`)),
  ),
  ...schemasOf(dnsOptions),
}
const dns = v.optional(shape(upstreamDnsEntries, "an object such as { servers: ['10.0.0.2'] }"))

const prefix = v.optional(
  expected(v.pipe(v.string(), v.regex(/^(\/[\x21-\x22\x24-\x3e\x40-\x7e]+)+$/), v.regex(/[^/]$/)), "a path such as '/api'"),
)
const server = v.pipe(
  v.string('a string'),
  v.rawCheck(({ dataset, addIssue }) => {
    const fault = typeof dataset.value === 'string' ? faultOf(dataset.value) : undefined
    if (fault !== undefined) addIssue({ message: fault })
  }),
)
const servers = v.pipe(
  v.array(server, 'a list of servers'),
  v.nonEmpty('at least one server'),
  v.maxLength(MAX_SERVERS, `at most ${MAX_SERVERS} servers`),
)

export const upstreamEntries = {
  servers,
  host: v.optional(v.picklist(['keep', 'upstream'], "'keep' or 'upstream'")),
  stripPrefix: prefix,
  addPrefix: prefix,
  ca: v.optional(text),
  proxyProtocol: flag,
  rewriteLocations: flag,
  rewriteCookies: flag,
  dns,
  ...schemasOf(boundOptions),
}

const full = shape(upstreamEntries, "a list of servers, or an object with 'servers'")
/** A list stands for the servers alone. */
export const upstream = v.optional(v.lazy((input) => (Array.isArray(input) ? servers : full)))

/** Options of pools that run an app. */
const FOR_APPS = ['app', 'args', 'readyWhen', 'concurrency', 'outliers', 'schedule', 'listens', 'stopSignal', 'shutdownMessage']

/** Faults between the options of a pool, and of the file that `ca` names. */
export function upstreamFaults(pool: Loose, at: (...keys: string[]) => string, listens: boolean, folder: string): Fault[] {
  if (pool.upstream === undefined) return []
  const faults: Fault[] = FOR_APPS.filter((name) => pool[name] !== undefined).map((name) => ({
    path: at(name),
    message: `has no effect: the workers of a pool with 'upstream' run the balancer's own proxy${name === 'concurrency' ? ". Use 'upstream.maxConnections'" : ''}`,
  }))
  if (!listens)
    faults.push({ path: at('upstream'), message: "needs 'listen' in the config: without an app nothing says where clients connect" })
  const names = serversOf(pool.upstream).map((url) => addressOf(url, folder)?.name)
  const twice = names.find((name, index) => name !== undefined && names.indexOf(name) !== index)
  if (twice !== undefined) faults.push({ path: at('upstream'), message: `names ${twice} twice` })
  const { ca } = looseOf(pool.upstream)
  if (typeof ca === 'string' && ca !== '') {
    const fault = caFault(resolve(folder, ca))
    if (fault !== undefined) faults.push({ path: at('upstream', 'ca'), message: fault })
  }
  return faults
}

/** Settings of a checked pool; undefined: it runs an app. The policies are those of its routes, which are not known here. */
export function upstreamSettings(pool: PoolConfig, folder: string): UpstreamSettings | undefined {
  if (pool.upstream === undefined) return undefined
  const config: UpstreamConfig = isList(pool.upstream) ? { servers: pool.upstream } : pool.upstream
  const { servers, host = 'keep', stripPrefix, addPrefix, ca, proxyProtocol = false, dns = {}, ...others } = config
  const { rewriteLocations = true, rewriteCookies = true, ...bounds } = others
  const { servers: dnsServers = [], ...dnsBounds } = dns
  return {
    ...withDefaults(defaultUpstream, bounds),
    servers: servers.map((url) => addressOf(url, folder) as UpstreamAddress),
    policies: [],
    weights: pool.weights ?? [],
    slowStart: undefined,
    ...{ host, stripPrefix, addPrefix, proxyProtocol, rewriteLocations, rewriteCookies },
    dns: { ...withDefaults(defaultUpstreamDns, dnsBounds), servers: dnsServers },
    ca: ca === undefined ? undefined : readFileSync(resolve(folder, ca), 'utf8'),
    probe: probeSettings(pool.healthWhen, defaultHealthWhen),
  }
}

/** Reads a server's URL, relative socket paths from `folder`. undefined: it has faults. */
export function addressOf(url: string, folder: string): UpstreamAddress | undefined {
  if (faultOf(url) !== undefined) return undefined
  if (url.startsWith('unix:')) {
    const path = resolve(folder, url.slice('unix:'.length))
    return { protocol: 'http', name: `unix:${path}`, host: undefined, port: undefined, path }
  }
  const { protocol, hostname, port } = new URL(url)
  const isTls = protocol === 'https:'
  return {
    protocol: isTls ? 'https' : 'http',
    name: new URL(url).origin,
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? (isTls ? 443 : 80) : Number(port),
    path: undefined,
  }
}

function faultOf(text: string): string | undefined {
  const phrase = "expected a URL such as 'http://127.0.0.1:9000', 'https://10.0.0.7' or 'unix:/run/app.sock'"
  if (text.startsWith('unix:')) {
    if (text === 'unix:' || text.includes('\0')) return `${phrase}, got '${text}'`
    return Buffer.byteLength(text) - 5 > MAX_SOCKET_PATH_BYTES ? `expected a path of at most ${MAX_SOCKET_PATH_BYTES} bytes` : undefined
  }
  if (!URL.canParse(text)) return `${phrase}, got '${text.slice(0, 60)}'`
  const { protocol, username, password, pathname, search, hash, hostname, port } = new URL(text)
  // A URL with a password must not be quoted.
  if (username !== '' || password !== '') return 'expected a URL without user and password: the balancer would not send them'
  if (!/^https?:$/.test(protocol) || hostname === '') return `${phrase}, got '${text.slice(0, 60)}'`
  if (port === '0') return `expected a port from 1, got '${text.slice(0, 60)}'`
  if (pathname !== '/' || search !== '' || hash !== '') return "expected a server without a path: use 'addPrefix' for one"
  return undefined
}

function isDnsServer(text: string): boolean {
  const [, bracketed, plain, port] = /^(?:\[([\da-f:.]+)\]|([\d.]+))(?::(\d{1,5}))?$/i.exec(text) ?? []
  const address = bracketed ?? plain ?? text
  return isIP(address) !== 0 && (port === undefined || (Number(port) > 0 && Number(port) < 65_536))
}

function caFault(path: string): string | undefined {
  try {
    const pem = readFileSync(path, 'latin1')
    if (pem.length > MAX_CA_BYTES) return `${path} has more than ${MAX_CA_BYTES} bytes`
    return pem.includes('-----BEGIN CERTIFICATE-----') ? undefined : `${path} has no certificate in PEM`
  } catch (error) {
    return `can't be read: ${(error as Error).message}`
  }
}

function serversOf(upstream: unknown): string[] {
  const all = Array.isArray(upstream) ? upstream : listOf(looseOf(upstream).servers)
  return all.filter((url): url is string => typeof url === 'string')
}

function isList(value: UpstreamConfig | readonly string[]): value is readonly string[] {
  return Array.isArray(value)
}
