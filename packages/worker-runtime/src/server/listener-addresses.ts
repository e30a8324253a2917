// The addresses of the primary's listeners, as far as this worker knows them. A route may ask over which listener a connection came.

import type { Socket } from 'node:net'
import { listenerOf, tagOf, tagUnderTls } from '@switchyard/handoff'
import type { ListenerAddress } from '@switchyard/routing'

/** Far more than an app opens. */
const MAX_KNOWN = 1024
const IPV4_IN_IPV6 = '::ffff:'

/** By number. */
const known = new Map<number, ListenerAddress>()

/** Records the listeners of the config, which stay as they are, and later those of the app's own servers. The first address of a number counts. */
export function recordListener(number: number, { host, port, path }: ListenerAddress): void {
  const before = known.get(number)
  // A number is used again when its listener has closed. Then the port or the path differs.
  if (before !== undefined && before.port === port && before.path === path) return
  if (known.size < MAX_KNOWN || before !== undefined) known.set(number, { host, port, path })
}

/** The listener over which a connection came; undefined: it is not known. */
export function listenerOn(socket: Socket): ListenerAddress | undefined {
  const tag = tagOf(socket) ?? tagUnderTls(socket)
  const listener = tag === undefined ? undefined : known.get(listenerOf(tag))
  if (listener !== undefined) return listener
  // A listener of other pools, or a connection between workers: the address that the client has connected to.
  const { localAddress, localPort } = socket
  if (localPort === undefined) return undefined
  return { host: localAddress?.startsWith(IPV4_IN_IPV6) ? localAddress.slice(IPV4_IN_IPV6.length) : localAddress, port: localPort }
}
