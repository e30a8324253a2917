// Where to listen, as people write it: 3000, '127.0.0.1:3000', '[::1]:3000', '/run/app.sock', 'unix:app.sock', or an object.

import { resolve } from 'node:path'
import type { ListenAddress } from '../settings.ts'
import type { ListenConfig, ListenOptions } from './config.ts'

/** What an address was expected to be, or the address. */
export type Parsed<T> = { value: T } | { fault: string }

const defaultBacklog = 511
/** Linux keeps 108 bytes for the path of a unix socket, the last for a NUL. */
export const maxSocketPathBytes = 107

/** Reads one address; `folder` is what a relative socket path starts from. */
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

/** Reads `host:port`, `[v6]:port`, `:port`, `*:port` or a bare port. */
export function parseHostPort(text: string): Parsed<{ host: string | undefined; port: number }> {
  const [, bracketed, plain, digits] = /^(?:(?:\[([^\]]+)\]|([^:[\]]*)):)?(\d{1,5})$/.exec(text.trim()) ?? []
  const port = Number(digits)
  if (digits === undefined || port > 65535)
    return { fault: `expected a port, 'host:port', '[::1]:port' or the path of a socket, got '${text}'` }
  const host = bracketed ?? plain
  return { value: { host: host === undefined || host === '' || host === '*' ? undefined : host, port } }
}

/** Writes an address so that `parseListen` reads it again. */
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

function fromOptions(options: ListenOptions, folder: string): Parsed<ListenAddress> {
  const { host, port, path, ipv6Only = false, backlog = defaultBacklog, peek } = options
  if (path === undefined) {
    if (port === undefined) return { fault: 'expected a port or a path' }
    return { value: { host, port, path: undefined, ipv6Only, backlog, peek } }
  }
  if (host !== undefined || port !== undefined) return { fault: 'expected either a path or a host and port, got both' }
  if (path === '') return { fault: 'expected the path of a socket, got an empty one' }
  const socketPath = resolve(folder, path)
  const bytes = Buffer.byteLength(socketPath)
  if (bytes > maxSocketPathBytes)
    return { fault: `expected a socket path of at most ${maxSocketPathBytes} bytes, got ${bytes}: ${socketPath}` }
  return { value: { host: undefined, port: undefined, path: socketPath, ipv6Only: false, backlog, peek } }
}
