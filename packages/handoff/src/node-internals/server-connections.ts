// Lists the HTTP/1 connections of a server in a worker, and the idle ones among them. Node is asked on demand, so that a connection costs
// nothing. The list that a server keeps is private and exists in Node 20 to 26.

import type { ServerResponse } from 'node:http'
import { type Server, Socket } from 'node:net'

interface PrivateParser {
  readonly socket?: Socket | null
}

interface ParserList {
  all(): PrivateParser[]
  /** Those without a request under way. */
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

/** The open HTTP/1 connections of a server, without the upgraded ones. None for a server that is no HTTP server. */
export function httpConnectionsOf(server: Server): Socket[] {
  if (!speaksHttp(server)) return []
  return listOf(server)?.all().map(socketOf).filter(isOpen) ?? socketsOfProcess(server)
}

/**
 * The connections among them that are between two requests: every byte read belongs to an answered request, and every response is with the
 * kernel. From Node 26 on, connections without any bytes are included. undefined: unknown.
 */
export function idleConnectionsOf(server: Server): ReadonlySet<Socket> | undefined {
  const idle = listOf(server)?.idle().map(socketOf).filter(isOpen)
  // A connection that closes with its last response is no longer writable.
  const isIdle = (socket: Socket) =>
    socket.writable && responseOn(socket) === undefined && socket.writableLength === 0 && socket.readableLength === 0
  return idle && new Set(idle.filter(isIdle))
}

/** Does `idleConnectionsOf` know them? */
export function canListIdleConnections(server: Server): boolean {
  return listOf(server) !== undefined
}

/** How many connections a server has open, of any kind. */
export function connectionCountOf(server: Server): number {
  return (server as unknown as { readonly _connections: number })._connections
}

/** The response that is being written on a connection, or the first that waits to be. */
export function responseOn(socket: Socket): ServerResponse | undefined {
  return (socket as unknown as PrivateSocket)._httpMessage ?? undefined
}

function speaksHttp(server: Server): boolean {
  return 'closeIdleConnections' in server
}

/** Node's symbol for the list, the same for all servers. */
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

/** Searches all open handles of the process, for a server without the list. */
function socketsOfProcess(server: Server): Socket[] {
  const handles = (process as unknown as PrivateProcess)._getActiveHandles?.() ?? []
  return handles.filter((handle): handle is Socket => {
    if (!(handle instanceof Socket) || handle.destroyed) return false
    const { server: owner, parser } = handle as unknown as PrivateSocket
    return owner === server && parser !== undefined && parser !== null
  })
}
