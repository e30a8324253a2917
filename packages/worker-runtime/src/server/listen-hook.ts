// Makes the app's servers join the pool. Each really listens on a private unix socket of this worker, so that it behaves as a listening server
// ('listening', timeouts, close()). It serves the connections of a listener of the primary, and reports that listener's address as its own.

import { Server as HttpServer } from 'node:http'
import type { Server } from 'node:net'
import { Server as TlsServer } from 'node:tls'
import { type BoundAddress, errnoOf, hookListen, type ListenOutcome, type ListenRequest, setAddress } from '@switchyard/handoff'
import type { ListenPlace, ServerAddress, ServerKind } from '../listen-protocol.ts'
import type { Runtime } from '../runtime.ts'
import type { OpenServer, Servers } from './balanced-servers.ts'
import { ListenClient } from './listen-client.ts'
import { recordListener } from './listener-addresses.ts'

/** How long the worker waits for a server on a configured address before it announces one that stands in. */
const STAND_IN_MS = 250

/** Called before a server gets connections. The primary learns that the app listens when the promise is settled. */
export type OnJoin = (server: Server, place: ListenPlace) => Promise<void> | undefined

/** From now on every server of this process joins the pool when it listens. `onClose` is called when one listens no more. */
export function hookAppListen(runtime: Runtime, servers: Servers, onJoin: OnJoin, onClose: (server: Server) => void): void {
  const { privateSocket, listenPipe, listeners = [] } = runtime.start
  for (const { number, ...address } of listeners) recordListener(number, address)
  const pipe = new ListenClient(listenPipe)
  let lastId = 0
  let isAnnounced = false
  /** Numbers of open private sockets. They are used again, to keep the paths short. */
  const indices = new Set<number>()

  function listen(server: Server, wish: ListenRequest): ListenOutcome {
    const id = ++lastId
    const answer = pipe.ask({ ask: 'listen', id, kind: kindOf(server), mode: 0o777 & ~process.umask(), ...wish })
    if (answer === undefined) return { errno: errnoOf('EPIPE') }
    if ('errno' in answer || 'shared' in answer) return 'shared' in answer ? 'shared' : answer
    const { moved, ...place } = answer
    for (const { listener, address } of moved === undefined ? [place] : [place, moved]) recordListener(listener, address)
    const index = firstFree(indices)
    const privatePath = index === 0 ? privateSocket : `${privateSocket}.${index}`
    indices.add(index)
    const one: OpenServer = { server, id, privatePath, place }
    const movedServer = moved && servers.byId(moved.id)
    if (movedServer !== undefined && moved !== undefined) {
      servers.move(movedServer, moved)
      setAddress(movedServer.server, boundOf(moved.address))
    }
    servers.add(one)
    const joined = onJoin(server, place)
    if (joined === undefined) announceLater(one)
    else void joined.finally(() => announceLater(one))
    return {
      socket: {
        address: boundOf(place.address),
        privatePath,
        close() {
          if (!servers.has(one)) return
          servers.remove(one)
          onClose(server)
          indices.delete(index)
          pipe.ask({ ask: 'close', id })
        },
        chmod(mode) {
          const done = pipe.ask({ ask: 'chmod', id, mode })
          return done !== undefined && 'errno' in done ? done.errno : errnoOf('EPIPE')
        },
      },
    }
  }

  /** Waits for the app's 'listening' listeners: a server that only probes whether a port is free has closed by then. */
  function announceLater(one: OpenServer): void {
    setImmediate(() => {
      if (one.place.standsIn) setTimeout(() => announce(one), STAND_IN_MS).unref()
      else announce(one)
    })
  }

  function announce(one: OpenServer): void {
    if (isAnnounced || !servers.has(one)) return
    isAnnounced = true
    runtime.send({ switchyard: 'listening', address: one.place.address })
  }

  hookListen({
    listen,
    onOwn: (why, address) => void pipe.ask({ ask: 'own', id: 0, why, ...address }),
  })
}

function firstFree(taken: ReadonlySet<number>): number {
  let index = 0
  while (taken.has(index)) index++
  return index
}

function boundOf({ host, port, path }: ServerAddress): BoundAddress {
  return { host, port, path }
}

function kindOf(server: Server): ServerKind {
  if (server instanceof TlsServer) return 'tls'
  // Node does not export the class of HTTP/2 servers without TLS.
  if ('updateSettings' in server) return 'http2'
  return server instanceof HttpServer ? 'http' : 'net'
}
