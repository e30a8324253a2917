// The HTTP/1 connections of a server, and whether a request is under way on one. Node is asked when somebody wants to know, so that a connection
// costs nothing for it. (The list of a server's parsers is private, and in all of Node 20 to 26.)

import type { Server as HttpServer, ServerResponse } from 'node:http'
import { type Server, Socket } from 'node:net'

interface PrivateParser {
  readonly socket?: Socket | null
  /** How long the request that is being read has taken so far; 0: none is being read. */
  duration?(): number
}

interface ParserList {
  all(): PrivateParser[]
}

interface PrivateSocket {
  readonly _httpMessage?: ServerResponse | null
  readonly parser?: PrivateParser | null
  readonly server?: Server | null
}

interface PrivateProcess {
  _getActiveHandles?(): unknown[]
}

const LIST_NAME = 'http.server.connections'

/** The open connections of a server on which HTTP/1 is spoken: not the upgraded ones. Those of a server that is no HTTP server: none. */
export function httpConnectionsOf(server: Server): Socket[] {
  if (!('closeIdleConnections' in server)) return []
  const symbol = Object.getOwnPropertySymbols(server).find(({ description }) => description === LIST_NAME)
  const list = symbol && (server as unknown as Record<symbol, ParserList | undefined>)[symbol]
  const sockets = list === undefined ? socketsOfProcess(server) : list.all().map(({ socket }) => socket)
  return sockets.filter((socket): socket is Socket => socket !== undefined && socket !== null && !socket.destroyed)
}

/** Everything that this process has open is looked through: where there is no such list. */
function socketsOfProcess(server: HttpServer | Server): Socket[] {
  const handles = (process as unknown as PrivateProcess)._getActiveHandles?.() ?? []
  return handles.filter((handle): handle is Socket => {
    if (!(handle instanceof Socket)) return false
    const { server: owner, parser } = handle as unknown as PrivateSocket
    return owner === server && parser !== undefined && parser !== null
  })
}

/** How many connections a server has open, of any kind. */
export function connectionCountOf(server: Server): number {
  return (server as unknown as { readonly _connections: number })._connections
}

/** The response that is being written on a connection, or the first of those that wait for that. */
export function responseOn(socket: Socket): ServerResponse | undefined {
  return (socket as unknown as PrivateSocket)._httpMessage ?? undefined
}

/**
 * Is a connection between two requests? Everything that was read off it belongs to requests that have been answered, and what was answered is with the
 * system. Undefined: it can't be told. Before the first request: false.
 */
export function isBetweenRequests(socket: Socket): boolean | undefined {
  const { parser } = socket as unknown as PrivateSocket
  if (typeof parser?.duration !== 'function') return undefined
  return parser.duration() === 0 && responseOn(socket) === undefined && socket.writableLength === 0 && socket.readableLength === 0
}
