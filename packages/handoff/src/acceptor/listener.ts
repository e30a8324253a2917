// A listening socket: from an address to a descriptor, with Node's own error codes.

import { lookup } from 'node:dns/promises'
import { rm, stat } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { native } from '../native-module.ts'
import { listeningDescriptor } from '../node-internals/server-fields.ts'

/** Where to listen. Without `host` and `path`: dual-stack as Node does it. */
export interface ListenerAddress {
  readonly host?: string | undefined
  readonly port?: number | undefined
  readonly path?: string | undefined
  readonly ipv6Only?: boolean
  /** Left out: 511, or as it is where the socket listens already. */
  readonly backlog?: number
  /** false: for servers that speak first. No deferred accept, no peek. */
  readonly peek?: boolean
  /** Other processes that say so too may listen on the same address (SO_REUSEPORT). Left out: no. */
  readonly reusePort?: boolean | undefined
  /** Of the file of a unix socket. Left out: by the umask of this process. */
  readonly mode?: number | undefined
}

/** The address that a listener really has. */
export interface BoundAddress {
  readonly host: string | undefined
  readonly port: number | undefined
  readonly path: string | undefined
}

/** A listener of a door. */
export interface BoundListener extends BoundAddress {
  /** By which tags name it, see tag.ts. */
  readonly number: number
}

/** A socket that listens already: this process was started with it. Others may accept from it at the same time. */
export interface InheritedListener extends BoundAddress {
  readonly fd: number
}

const DEFAULT_BACKLOG = 511
/** How long the kernel keeps a client that has sent nothing, where heads are looked at. */
export const DEFER_SECONDS = 1

/**
 * Binds and listens, or takes over what listens already. A unix socket that nobody answers on any more is replaced.
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
    // A machine without IPv6.
    if (!['EAFNOSUPPORT', 'EADDRNOTAVAIL', 'EINVAL'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
    return tcp('0.0.0.0')
  }
}

/** By Node itself: how long such a name is depends on the version, and clients of the same version must find it. */
async function listenAbstract(path: string, backlog: number): Promise<InheritedListener> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen({ path, backlog, exclusive: true }, resolve)
  })
  const fd = native().copyDescriptor(listeningDescriptor(server) ?? -1)
  server.close()
  return { fd, host: undefined, port: undefined, path }
}

/** Does what makes a file, which is to have this mode from its first moment. */
export function withMode<T>(mode: number | undefined, make: () => T): T {
  if (mode === undefined) return make()
  const before = process.umask(0o777 & ~mode)
  try {
    return make()
  } finally {
    process.umask(before)
  }
}

/** Does a path name no file, but a socket in the kernel's own list of names? */
export function isAbstract(path: string): boolean {
  return path.startsWith('\0')
}

/** A socket file that refuses connections was left by a process that is gone. */
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
