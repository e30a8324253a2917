// The HTTP/1 connections of a server, and those on which no request is under way. Node is asked when somebody wants to know, so that a connection costs
// nothing for it. (The list that a server keeps of them is private, and in all of Node 20 to 26.)

import type { ServerResponse } from 'node:http'
import { type Server, Socket } from 'node:net'

interface PrivateParser {
  readonly socket?: Socket | null
}

interface ParserList {
  all(): PrivateParser[]
  /** Those that are not in the middle of a request. */
  idle(): PrivateParser[]
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
  if (!speaksHttp(server)) return []
  return listOf(server)?.all().map(socketOf).filter(isOpen) ?? socketsOfProcess(server)
}

/**
 * Those of them that are between two requests: everything that was read off them belongs to requests that have been answered, and what was answered is with
 * the system. One on which nothing has come yet is among them from Node 26 on. Undefined: it can't be told.
 */
export function idleConnectionsOf(server: Server): ReadonlySet<Socket> | undefined {
  const idle = listOf(server)?.idle().map(socketOf).filter(isOpen)
  // One that ends with its last response is not writable any more.
  const isIdle = (socket: Socket) =>
    socket.writable && responseOn(socket) === undefined && socket.writableLength === 0 && socket.readableLength === 0
  return idle && new Set(idle.filter(isIdle))
}

/** Can it be told which connections of a server are between two requests? */
export function canListIdleConnections(server: Server): boolean {
  return listOf(server) !== undefined
}

/** How many connections a server has open, of any kind. */
export function connectionCountOf(server: Server): number {
  return (server as unknown as { readonly _connections: number })._connections
}

/** The response that is being written on a connection, or the first of those that wait for that. */
export function responseOn(socket: Socket): ServerResponse | undefined {
  return (socket as unknown as PrivateSocket)._httpMessage ?? undefined
}

function speaksHttp(server: Server): boolean {
  return 'closeIdleConnections' in server
}

/** The same for all servers. */
let listKey: symbol | undefined

function listOf(server: Server): ParserList | undefined {
  listKey ??= Object.getOwnPropertySymbols(server).find(({ description }) => description === LIST_NAME)
  return listKey && (server as unknown as Record<symbol, ParserList | undefined>)[listKey]
}

function socketOf({ socket }: PrivateParser): Socket | null | undefined {
  return socket
}

function isOpen(socket: Socket | null | undefined): socket is Socket {
  return socket !== null && socket?.destroyed === false
}

/** Everything that this process has open is looked through: where there is no such list. */
function socketsOfProcess(server: Server): Socket[] {
  const handles = (process as unknown as PrivateProcess)._getActiveHandles?.() ?? []
  return handles.filter((handle): handle is Socket => {
    if (!(handle instanceof Socket) || handle.destroyed) return false
    const { server: owner, parser } = handle as unknown as PrivateSocket
    return owner === server && parser !== undefined && parser !== null
  })
}
