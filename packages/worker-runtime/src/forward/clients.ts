// Tells the work that is under way for a client when the client's connection closes.

import type { Socket } from 'node:net'

/** Work for a client, such as an exchange. */
export interface ClientWork {
  /** The client's connection has closed. */
  onClientClose(): void
}

const workKey = Symbol('switchyard.work')

interface ClientSocket extends Socket {
  [workKey]?: Set<ClientWork>
}

/**
 * Begins to watch a connection, with one listener for all work on it. The response's 'close' would not do: a response that waits behind others on
 * its connection never emits it.
 */
export function watchClient(socket: ClientSocket, work: ClientWork): void {
  let all = socket[workKey]
  if (all === undefined) {
    all = new Set()
    socket[workKey] = all
  }
  if (all.size === 0) socket.on('close', onClose)
  all.add(work)
}

export function unwatchClient(socket: ClientSocket, work: ClientWork): void {
  const all = socket[workKey]
  if (all?.delete(work) === true && all.size === 0) socket.off('close', onClose)
}

function onClose(this: ClientSocket): void {
  for (const work of this[workKey] ?? []) work.onClientClose()
}
