// Reads private fields of a server: its listening descriptor and its count of open connections.

import type { Server } from 'node:net'

interface PrivateServer {
  readonly _connections: number
  readonly _handle: { readonly fd?: number; close(): void } | null
  _emitCloseIfDrained(): void
}

/** The descriptor that a server listens on; undefined: it does not listen, or the platform has none. */
export function listeningDescriptor(server: Server): number | undefined {
  const fd = (server as unknown as PrivateServer)._handle?.fd
  return fd === undefined || fd < 0 ? undefined : fd
}

/**
 * Closes the socket that a server listens on, and nothing else: to the app the server still listens. A closed socket keeps no process alive
 * and accepts nothing.
 */
export function closeListeningSocket(server: Server): void {
  ;(server as unknown as PrivateServer)._handle?.close()
}

/**
 * Counts the server's open connections in `words[index]`, which the servers of one process share. Closed connections are subtracted by
 * themselves. Call the returned function when a connection is emitted.
 */
export function publishConnections(server: Server, words: Int32Array, index: number): () => void {
  const inner = server as unknown as PrivateServer
  let counted = 0
  const publish = () => {
    words[index] = (words[index] as number) + inner._connections - counted
    counted = inner._connections
  }
  // Node calls this for each connection that has closed. An accessor in the place of the count would see every change, but V8 turns an
  // object with a redefined property into a hash table, and every request would pay for that.
  const emitCloseIfDrained = inner._emitCloseIfDrained
  inner._emitCloseIfDrained = function () {
    publish()
    emitCloseIfDrained.call(this)
  }
  publish()
  return publish
}
