// The libuv handle under a socket of Node, and the messages that carry one between processes.

import type { Socket } from 'node:net'

export interface Handle {
  open(fd: number): number
  close(): void
  readStart(): number
  setNoDelay?(enable: boolean): void
}

/** The descriptor of an open socket; undefined: it has none. */
export function descriptorOf(socket: Socket): number | undefined {
  return (socket as unknown as { readonly _handle?: { readonly fd: number } | null })._handle?.fd
}

/** In a worker: calls back with each message whose name begins with `NODE_`, which Node keeps from listeners of 'message', and its handle. */
export function onInternalMessage(listener: (message: unknown, handle: Handle | null | undefined) => void): void {
  const inner = process as unknown as {
    on(event: 'internalMessage', listener: (message: unknown, handle: Handle | null | undefined) => void): void
  }
  inner.on('internalMessage', listener)
}
