// What a server of Node's keeps in fields of its own: where it listens, and how many connections it has open.

import type { Server } from 'node:net'

interface PrivateServer {
  readonly _connections: number
  readonly _handle: { readonly fd?: number; close(): void } | null
  _emitCloseIfDrained(): void
}

/** The descriptor of the socket that a server listens on; undefined when it does not listen, or where there is none to be seen. */
export function listeningDescriptor(server: Server): number | undefined {
  const fd = (server as unknown as PrivateServer)._handle?.fd
  return fd === undefined || fd < 0 ? undefined : fd
}

/**
 * Closes the socket that a server listens on, and nothing else: to its app the server listens until the app closes it. A closed socket keeps no process alive, and nothing
 * more comes from it.
 */
export function closeListeningSocket(server: Server): void {
  ;(server as unknown as PrivateServer)._handle?.close()
}

/**
 * From now on the server's open connections are counted in a word of memory: that of `words` at `index`, which servers of one process share. It falls by
 * itself; what is returned is to be called when a connection is announced.
 */
export function publishConnections(server: Server, words: Int32Array, index: number): () => void {
  const inner = server as unknown as PrivateServer
  let counted = 0
  const publish = () => {
    words[index] = (words[index] as number) + inner._connections - counted
    counted = inner._connections
  }
  // Node calls it for each connection that has closed. (An accessor in the place of the count would see every change, but V8 keeps a server with
  // a property that was redefined as a table, and every request that looks at its server would pay for that.)
  const emitCloseIfDrained = inner._emitCloseIfDrained
  inner._emitCloseIfDrained = function () {
    publish()
    emitCloseIfDrained.call(this)
  }
  publish()
  return publish
}
