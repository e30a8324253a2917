// The app's listen() joins the pool: its server really listens on this worker's private unix socket, which gives it everything that a
// listening server has ('listening', timeouts, close()), and answers address() as if it listened where the primary does.

import { isIPv6, Server } from 'node:net'
import { nameServingSocket } from './asking.ts'
import { type ListenRequest, readListenArguments } from './listen-arguments.ts'
import type { ServerAddress } from './protocol.ts'
import type { Runtime } from './runtime.ts'

/** Told when a server takes the pool's traffic; a later one replaces it. */
export type OnJoin = (server: Server, address: ServerAddress) => void

/** From now on `listen()` of any server in this process may join the pool. */
export function joinOnListen(runtime: Runtime, onJoin: OnJoin): void {
  const { start } = runtime
  const listen = Server.prototype.listen
  let serving: { server: Server; configured: boolean; port: number | undefined } | undefined
  let joins = 0

  function takes(server: Server, request: ListenRequest): boolean {
    if (serving?.server === server) return !server.listening
    if (serving === undefined) return request.path === undefined || start.listen === undefined || isConfigured(request)
    return !serving.configured && start.listen !== undefined && isConfigured(request)
  }

  function isConfigured(request: ListenRequest): boolean {
    return (start.listen ?? []).some((address) =>
      request.path === undefined ? address.port === request.port && address.path === undefined : address.path === request.path,
    )
  }

  /** Frameworks open one server for each family of addresses, on one port: the primary listens on both for the first. */
  function isTwin(server: Server, { port }: ListenRequest): boolean {
    return (
      serving !== undefined &&
      serving.server !== server &&
      serving.server.listening &&
      port !== undefined &&
      port !== 0 &&
      port === serving.port
    )
  }

  function nextSocket(): string {
    const path = joins === 0 ? start.privateSocket : `${start.privateSocket}.${joins}`
    joins++
    return path
  }

  function listenPrivately(server: Server, request: ListenRequest, path: string): Server {
    const address = servedAddress(runtime, request)
    if (request.callback !== undefined) server.once('listening', request.callback)
    server.address = () => (server.listening ? asNodeSays(address) : null)
    // Who may come in is said by the mode of the folder: workers of other users, where there are some.
    return Reflect.apply(listen, server, [{ path, exclusive: true, backlog: request.backlog, writableAll: true }])
  }

  Server.prototype.listen = function (this: Server, ...args: unknown[]): Server {
    const request = readListenArguments(args)
    if (request === undefined || this.listening) return Reflect.apply(listen, this, args)
    if (isTwin(this, request)) return listenPrivately(this, request, nextSocket())
    if (!takes(this, request)) {
      runtime.send({
        switchyard: 'notice',
        level: 'info',
        message: `a server on ${request.path ?? `port ${request.port}`} is not the one that is balanced; the kernel shares it between the workers`,
      })
      return Reflect.apply(listen, this, args)
    }
    if (serving !== undefined && serving.server !== this) {
      runtime.send({
        switchyard: 'notice',
        level: 'info',
        message: 'an earlier server gets no connections: this one has the configured port',
      })
    }
    const path = nextSocket()
    serving = { server: this, configured: start.listen !== undefined && isConfigured(request), port: request.port }
    listenPrivately(this, request, path)
    this.once('listening', () => {
      nameServingSocket(path)
      onJoin(this, servedAddress(runtime, request))
    })
    return this
  } as typeof Server.prototype.listen
}

/** Where clients reach this server. */
function servedAddress(runtime: Runtime, request: ListenRequest): ServerAddress {
  const { listen, freePort } = runtime.start
  if (listen === undefined) {
    return request.path === undefined ? { host: request.host, port: request.port || freePort } : { path: request.path }
  }
  return listen.find((address) => address.port === request.port && address.path === request.path) ?? (listen[0] as ServerAddress)
}

function asNodeSays(address: ServerAddress): ReturnType<Server['address']> {
  if (address.path !== undefined) return address.path
  const host = address.host === undefined || address.host === 'localhost' ? '::' : address.host
  return { address: host, family: isIPv6(host) ? 'IPv6' : 'IPv4', port: address.port ?? 0 }
}
