// Looks the names of upstream servers up: over DNS with the time for which an answer holds, or with the system's own lookup for names that DNS does not know.

import type { Resolver } from 'node:dns/promises'
import { readFile } from 'node:fs/promises'

export interface FoundAddresses {
  readonly addresses: readonly string[]
  /** How long they hold; undefined: the answer does not say. */
  readonly ttlMs: number | undefined
}

/** Rejects if the name has no address, or no server answers. */
export type ResolveName = (host: string) => Promise<FoundAddresses>

export interface NameResolverOptions {
  /** Addresses of DNS servers, which alone are asked. Empty: those of the system. */
  readonly servers: readonly string[]
  readonly timeoutMs: number
}

const HOSTS_FILE = '/etc/hosts'
const TRIES = 2
/** DNS knows the name, but not in this family. */
const NO_DATA = new Set(['ENODATA', 'ENOTFOUND'])

/** IPv4 addresses if there are any, otherwise IPv6 addresses: a host may have no way to the others. */
export function nameResolver({ servers, timeoutMs }: NameResolverOptions): ResolveName {
  let opened: Promise<Resolver> | undefined
  /** One lookup at a time: each one that hangs would hold a thread of the pool that files and compression use too. */
  let lookups: Promise<unknown> = Promise.resolve()

  const open = async (): Promise<Resolver> => {
    const dns = await import('node:dns/promises')
    const resolver = new dns.Resolver({ timeout: Math.ceil(timeoutMs / TRIES), tries: TRIES })
    if (servers.length > 0) resolver.setServers(servers)
    return resolver
  }
  const ask = async (host: string): Promise<FoundAddresses> => {
    opened ??= open()
    const resolver = await opened
    const found = await resolver.resolve4(host, { ttl: true }).catch((error: NodeJS.ErrnoException) => {
      if (NO_DATA.has(error.code ?? '')) return resolver.resolve6(host, { ttl: true })
      throw error
    })
    if (found.length === 0) throw new Error('the answer has no address')
    return { addresses: found.map(({ address }) => address), ttlMs: Math.min(...found.map(({ ttl }) => ttl)) * 1000 }
  }
  const lookup = (host: string): Promise<FoundAddresses> => {
    const mine = lookups.then(() => lookupNow(host))
    lookups = mine.catch(() => {})
    return mine
  }
  return async (host) => {
    if (servers.length > 0) return ask(host)
    // The system's lookup adds its search domains to names without a dot.
    if (!host.includes('.') || (await isInHostsFile(host))) return lookup(host)
    return ask(host).catch(() => lookup(host))
  }
}

async function lookupNow(host: string): Promise<FoundAddresses> {
  const { lookup } = await import('node:dns/promises')
  const found = await lookup(host, { all: true })
  const [ipv4, ipv6] = [4, 6].map((family) => found.filter((one) => one.family === family).map(({ address }) => address))
  return { addresses: ipv4?.length ? ipv4 : (ipv6 ?? []), ttlMs: undefined }
}

async function isInHostsFile(host: string): Promise<boolean> {
  const text = await readFile(HOSTS_FILE, 'utf8').catch(() => '')
  const wanted = host.toLowerCase()
  return text.split('\n').some((line) => {
    const [, ...names] = (line.split('#', 1)[0] ?? '').trim().toLowerCase().split(/\s+/)
    return names.includes(wanted)
  })
}
