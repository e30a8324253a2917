// Which listener of the config a server gets that asks for an address.

import type { ServerAddress } from '@switchyard/worker-runtime'
import type { Bound } from './listeners.ts'

/**
 * How a server got its listener: `asked`: it is the one that it asked for. `stands-in`: the config names another address than the server asked for, and no server of
 * its worker has that yet. `second`: another server of its worker has the connections.
 */
export type Role = 'asked' | 'stands-in' | 'second'

/** A server that a worker has already. */
export interface HeldListener {
  readonly bound: Bound
  readonly role: Role
}

export type ListenChoice = { readonly bound: Bound; readonly role: Role } | 'in-use' | undefined

/** The choice for a server that asks for `wish`; undefined: it gets a listener of its own. `held`: what other servers of its worker have. */
export function chooseConfigured(configured: readonly Bound[], request: ServerAddress, held: readonly HeldListener[]): ListenChoice {
  const [first] = configured
  if (first === undefined) return undefined
  const isHeld = (bound: Bound) => held.some((one) => one.bound === bound && one.role === 'asked')
  const named = configured.filter((bound) => names(bound, request))
  const free = named.find((bound) => isSameHost(bound, request) && !isHeld(bound)) ?? named.find((bound) => !isHeld(bound))
  if (free !== undefined) return { bound: free, role: 'asked' }
  // Frameworks open one server for each address of `localhost`, and one listener of the config may stand for both.
  const [covering] = named.filter((bound) => !isSameHost(bound, request))
  if (covering !== undefined) return { bound: covering, role: 'second' }
  if (named.length > 0) return 'in-use'
  const mine = held.filter(({ bound }) => bound.isConfigured)
  if (mine.some(({ role }) => role !== 'stands-in')) return undefined
  // Where one of the two may have any port, they belong together.
  const any = configured.find(
    ({ path, asked }) => path === undefined && request.path === undefined && (request.port === 0 || asked.port === 0),
  )
  if (any !== undefined) return { bound: any, role: 'asked' }
  return mine.length === 0 ? { bound: first, role: 'stands-in' } : undefined
}

/** Does an app's server ask for this address of the config? A port alone is meant on every host. */
export function isSameAddress(address: ServerAddress, { host, port, path }: ServerAddress): boolean {
  if (address.path !== undefined || path !== undefined) return address.path === path
  return address.port === port && (address.host === undefined || address.host === host)
}

function names(bound: Bound, { port, path }: ServerAddress): boolean {
  if (path !== undefined || bound.path !== undefined) return path === bound.path
  return port !== 0 && (port === bound.port || port === bound.asked.port)
}

function isSameHost(bound: Bound, { host }: ServerAddress): boolean {
  return (bound.host ?? '::') === (host ?? '::') || (bound.asked.host ?? '::') === (host ?? '::')
}
