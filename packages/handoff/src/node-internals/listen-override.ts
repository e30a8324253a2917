// Overrides listen() of the servers in a worker: Node reads the arguments, resolves the host and makes the errors; a hook decides which
// socket the server gets. In a worker of node:cluster every server that does not say `exclusive` asks `cluster._getServer` for its socket.

import cluster from 'node:cluster'
import { chmodSync, existsSync, statSync } from 'node:fs'
import { createServer, Server } from 'node:net'
import { constants } from 'node:os'
import { dirname } from 'node:path'

/** UV_TCP_IPV6ONLY and UV_TCP_REUSEPORT of libuv, the same in all versions. */
const IPV6_ONLY = 1
const REUSE_PORT = 2
const LOCAL_FAMILY = -1
const ALL_RIGHTS = 0o777

/** The address that a listener has bound. */
export interface BoundAddress {
  readonly host: string | undefined
  readonly port: number | undefined
  readonly path: string | undefined
}

/** The arguments of listen() as Node has read them. A port without a host means all addresses of the machine. */
export interface ListenRequest {
  readonly host: string | undefined
  readonly port: number | undefined
  readonly path: string | undefined
  readonly ipv6Only: boolean
  readonly reusePort: boolean
  readonly backlog: number | undefined
}

/** A socket of another process on which a server takes its connections. */
export interface SharedSocket {
  /** The address that clients connect to, and that `address()` returns. */
  readonly address: BoundAddress
  /** The path that the server really listens on. */
  readonly privatePath: string
  /** Called when the server has closed or could not listen. */
  close(): void
  /** Gives the socket's file this mode; returns 0 or an error number. */
  chmod(mode: number): number
}

/** `shared`: node:cluster shares one socket between the workers. `own`: this process binds. `errno`: the system's error. */
export type ListenOutcome =
  | { readonly socket: SharedSocket }
  | 'shared'
  | 'own'
  | { readonly errno: number; readonly host?: string | undefined }

export interface ListenHook {
  /** Decides for a server that listens, synchronously. Not called for options that ask for a socket of the process's own. */
  listen(server: Server, wish: ListenRequest): ListenOutcome
  /** A server listens on a socket of this process's own, because its options say so. `address`: from the options. */
  onOwn(why: 'exclusive' | 'fd' | 'handle', address: Partial<BoundAddress>): void
}

interface Query {
  readonly address: string | null
  readonly port: number | null
  readonly addressType: number | string | null
  readonly fd: number | undefined
  readonly flags: number | undefined
  readonly backlog: number | undefined
}

interface PrivateHandle {
  listen(backlog: number): number
  close(callback?: () => void): void
  getsockname?(out: object): number
  fchmod?(mode: number): number
}

interface PrivateServer extends Server {
  _handle: PrivateHandle | null
  _pipeName?: string
  _listen2(
    address: string | null,
    port: number | null,
    addressType: Query['addressType'],
    backlog: number | undefined,
    fd: number | undefined,
    flags: number | undefined,
  ): void
}

type GetServer = (asker: unknown, query: Query, callback: (...values: unknown[]) => void) => void

/** Lets `hook` decide for every server of this process from now on. */
export function hookListen(hook: ListenHook): void {
  const inner = cluster as unknown as { _getServer: GetServer }
  const getServer = inner._getServer
  const listen = Server.prototype.listen
  const knowsReusePort = String(listen).includes('reusePort')
  /** Servers whose last listen() said `reusePort`. */
  const reusing = new WeakSet<Server>()

  inner._getServer = (asker, query, callback) => {
    // Sockets of dgram call this too.
    if (!(asker instanceof Server)) return getServer.call(cluster, asker, query, callback)
    const server = asker as PrivateServer
    if (typeof query.fd === 'number') {
      hook.onOwn('fd', {})
      return listenAsIs(server, query)
    }
    const wish = wishOf(query, reusing.has(server))
    const outcome = hook.listen(server, wish)
    if (outcome === 'shared') getServer.call(cluster, server, query, callback)
    else if (outcome === 'own') listenAsIs(server, { ...query, flags: (query.flags ?? 0) | (wish.reusePort ? REUSE_PORT : 0) })
    else if ('errno' in outcome) fail(server, query, outcome.errno, outcome.host)
    else listenOn(server, query, outcome.socket, listen)
  }

  Server.prototype.listen = function (this: PrivateServer, ...args: unknown[]): Server {
    reusing.delete(this)
    const options = args[0] as Record<string, unknown> | null
    if (typeof options !== 'object' || options === null || this._handle) return Reflect.apply(listen, this, args)
    if (options.exclusive === true && !('fd' in options)) hook.onOwn('exclusive', namedIn(options))
    else if (knowsReusePort && options.reusePort === true) {
      // With `reusePort` Node would bind in this process.
      reusing.add(this)
      return Reflect.apply(listen, this, [{ ...options, reusePort: false }, ...args.slice(1)])
    } else if (isHandle(options)) hook.onOwn('handle', {})
    return Reflect.apply(listen, this, args)
  } as typeof Server.prototype.listen
}

/** Sets what `address()` of a server on a shared socket returns. */
export function setAddress(server: Server, { host, port, path }: BoundAddress): void {
  const inner = server as PrivateServer
  const handle = inner._handle
  if (handle === null) return
  if (path !== undefined) {
    delete handle.getsockname
    inner._pipeName = path
    return
  }
  handle.getsockname = (out) => {
    Object.assign(out, { address: host, family: host?.includes(':') ? 'IPv6' : 'IPv4', port })
    return 0
  }
}

/** The error number of libuv for a code; for an unknown code that of EIO. */
export function errnoOf(code: string | undefined): number {
  return -((constants.errno as Record<string, number>)[code ?? ''] ?? constants.errno.EIO)
}

function wishOf({ address, port, addressType, flags = 0, backlog }: Query, reusePort: boolean): ListenRequest {
  const rest = { ipv6Only: (flags & IPV6_ONLY) !== 0, reusePort, backlog: backlog || undefined }
  if (addressType === LOCAL_FAMILY) return { host: undefined, port: undefined, path: address ?? '', ...rest }
  return { host: address ?? undefined, port: port ?? 0, path: undefined, ...rest }
}

/** Listens as Node does outside a cluster. */
function listenAsIs(server: PrivateServer, { address, port, addressType, backlog, fd, flags }: Query): void {
  server._listen2(address, port, addressType, backlog, fd, flags)
}

function listenOn(server: PrivateServer, query: Query, socket: SharedSocket, listen: Server['listen']): void {
  const handle = openPrivately(socket.privatePath, query.backlog, listen)
  if (handle === null) {
    socket.close()
    const code = existsSync(dirname(socket.privatePath)) ? 'EMFILE' : 'ENOENT'
    return fail(server, query, errnoOf(code), socket.address.host)
  }
  const close = handle.close
  handle.close = function (callback) {
    socket.close()
    close.call(this, callback)
  }
  const { fchmod } = handle
  handle.fchmod = function (rights) {
    // The resulting mode depends on the version of libuv, so it is tried here.
    chmodSync(socket.privatePath, ALL_RIGHTS & ~process.umask())
    const errno = fchmod?.call(this, rights) ?? 0
    const mode = statSync(socket.privatePath).mode & ALL_RIGHTS
    chmodSync(socket.privatePath, ALL_RIGHTS)
    return errno === 0 ? socket.chmod(mode) : errno
  }
  server._handle = handle
  setAddress(server, socket.address)
  const { host } = socket.address
  const family = query.addressType === LOCAL_FAMILY ? LOCAL_FAMILY : host?.includes(':') ? 6 : 4
  server._listen2(query.address ?? host ?? null, query.port, family, query.backlog, undefined, query.flags)
}

/** A handle that listens on a private path of this worker; null: no descriptor is free, or the folder is missing. */
function openPrivately(path: string, backlog: number | undefined, listen: Server['listen']): PrivateHandle | null {
  const opener = createServer() as PrivateServer
  opener.on('error', () => {})
  // The mode of the folder decides which processes may connect, workers of other users included.
  Reflect.apply(listen, opener, [{ path, exclusive: true, backlog }])
  const handle = opener._handle
  opener._handle = null
  if (handle) chmodSync(path, ALL_RIGHTS)
  return handle ?? null
}

/** Lets Node emit its own error for a socket that cannot be bound. */
function fail(server: PrivateServer, { address, port, addressType, backlog, flags }: Query, errno: number, host: string | undefined): void {
  server._handle = { listen: () => errno, close: () => {} }
  // For a port without a host Node tries `::` first and reports `0.0.0.0`, except for EADDRINUSE, which it finds later.
  const anyHost = host ?? (errno === errnoOf('EADDRINUSE') ? '::' : '0.0.0.0')
  server._listen2(address ?? anyHost, port, addressType, backlog, undefined, flags)
}

function namedIn({ host, port, path }: Record<string, unknown>): Partial<BoundAddress> {
  return {
    host: typeof host === 'string' ? host : undefined,
    port: port === undefined || path !== undefined ? undefined : Number(port),
    path: typeof path === 'string' ? path : undefined,
  }
}

/** Do the options hold a bound handle? The names are those that Node checks. */
function isHandle(options: Record<string, unknown>): boolean {
  const { _handle, handle, port, path, fd } = options
  if (_handle !== undefined || handle !== undefined) return true
  return port === undefined && path === undefined && fd === undefined && typeof options.getsockname === 'function'
}
