// Opens a listening socket: from an address to a descriptor, with Node's error codes.

import { lookup } from 'node:dns/promises'
import { rm, stat } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import type { ListenerProtocol } from '@switchyard/routing'
import { native } from '../native-module.ts'
import type { BoundAddress } from '../node-internals/listen-override.ts'
import { listeningDescriptor } from '../node-internals/server-fields.ts'

/** Where to listen. Without `host` and `path`: on all addresses, dual-stack, as Node does. */
export interface ListenerAddress {
  readonly host?: string | undefined
  readonly port?: number | undefined
  readonly path?: string | undefined
  readonly ipv6Only?: boolean
  /** Default: 511; of an inherited socket, its present one. */
  readonly backlog?: number
  /** false: neither deferred accept nor a peek, for protocols in which the server speaks first. Default: true. */
  readonly peek?: boolean
  /** What its clients speak, if heads are peeked at. Default: `detect`. */
  readonly protocol?: ListenerProtocol | undefined
  /** Other processes with the same option may listen on the same address (SO_REUSEPORT). Default: no. */
  readonly reusePort?: boolean | undefined
  /** Of the file of a unix socket. Default: by the umask of this process. */
  readonly mode?: number | undefined
}

/** A listener of the acceptor. */
export interface BoundListener extends BoundAddress {
  /** Tags name it by this number, see tag.ts. */
  readonly number: number
}

/** A listening socket with which this process was started. Other processes may accept from it at the same time. */
export interface InheritedListener extends BoundAddress {
  readonly fd: number
}

export const DEFAULT_BACKLOG = 511
/** Time for which the kernel holds back a connection without bytes, where heads are peeked at. */
export const DEFER_SECONDS = 1

/**
 * Binds and listens, or takes over an inherited socket. Replaces the file of a unix socket that refuses connections.
 * Throws an Error with `code` EADDRINUSE, EACCES, EADDRNOTAVAIL, ENOTFOUND, ...
 */
export async function listen(address: ListenerAddress, inherited?: InheritedListener): Promise<InheritedListener> {
  const backlog = address.backlog ?? DEFAULT_BACKLOG
  if (inherited !== undefined) {
    const { fd, host, port, path } = inherited
    native().adoptListener(fd, address.backlog ?? 0, address.peek === false ? 0 : DEFER_SECONDS)
    return { fd, host, port, path }
  }
  if (address.path !== undefined && isAbstract(address.path)) return listenAbstract(address.path, backlog)
  if (address.path !== undefined) {
    await removeStale(address.path)
    const { path } = address
    return { fd: withMode(address.mode, () => native().listenUnix(path, backlog)), host: undefined, port: undefined, path: address.path }
  }
  const port = address.port ?? 0
  const defer = address.peek === false ? 0 : DEFER_SECONDS
  const tcp = (host: string) => {
    const fd = native().listenTcp(host, port, address.ipv6Only ?? false, backlog, defer, address.reusePort ?? false)
    return { fd, host: address.host ?? host, port: native().boundPort(fd), path: undefined }
  }
  if (address.host !== undefined) return tcp((await lookup(address.host)).address)
  try {
    return tcp('::')
  } catch (error) {
    // The machine has no IPv6.
    if (!['EAFNOSUPPORT', 'EADDRNOTAVAIL', 'EINVAL'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
    return tcp('0.0.0.0')
  }
}

/** Node binds it: the length of an abstract name depends on its version, and clients of the same version must find it. */
async function listenAbstract(path: string, backlog: number): Promise<InheritedListener> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen({ path, backlog, exclusive: true }, resolve)
  })
  const fd = native().copyDescriptor(listeningDescriptor(server) ?? -1)
  server.close()
  return { fd, host: undefined, port: undefined, path }
}

/** Calls `make`, which creates a file, so that the file has this mode from its first moment. */
export function withMode<T>(mode: number | undefined, make: () => T): T {
  if (mode === undefined) return make()
  const before = process.umask(0o777 & ~mode)
  try {
    return make()
  } finally {
    process.umask(before)
  }
}

/** Is the path an abstract name, which has no file? */
export function isAbstract(path: string): boolean {
  return path.startsWith('\0')
}

/** Removes a socket file that refuses connections: its process has exited. */
export async function removeStale(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined)
  if (found === undefined || !found.isSocket()) return
  const refused = await new Promise<boolean>((resolve) => {
    const probe = connect(path)
    probe.once('connect', () => {
      probe.destroy()
      resolve(false)
    })
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'))
  })
  if (refused) await rm(path, { force: true })
}
