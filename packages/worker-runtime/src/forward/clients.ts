// Tells what is under way for a client that its connection has closed.

import type { Socket } from 'node:net'

/** Something that is under way for a client. */
export interface UnderWay {
  /** The client's connection has closed. */
  leave(): void
}

const underWayKey = Symbol('switchyard.underWay')

interface ClientSocket extends Socket {
  [underWayKey]?: Set<UnderWay>
}

/**
 * Begins to watch a connection. Not by the response's 'close': one that waits behind others on its connection never hears of the connection's
 * end. One listener for all that is under way on it.
 */
export function watchClient(socket: ClientSocket, underWay: UnderWay): void {
  let all = socket[underWayKey]
  if (all === undefined) {
    all = new Set()
    socket[underWayKey] = all
  }
  if (all.size === 0) socket.on('close', onClose)
  all.add(underWay)
}

export function unwatchClient(socket: ClientSocket, underWay: UnderWay): void {
  const all = socket[underWayKey]
  if (all?.delete(underWay) === true && all.size === 0) socket.off('close', onClose)
}

function onClose(this: ClientSocket): void {
  for (const underWay of this[underWayKey] ?? []) underWay.leave()
}
