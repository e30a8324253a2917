// Chooses the listener of the config for a server that asks for an address.

import type { ServerAddress } from '@switchyard/worker-runtime'
import type { Bound } from './listeners.ts'

/**
 * Why a server has its listener. `asked`: the server asked for this address. `stands-in`: the config names another address, and no other server of the worker has
 * it. `second`: another server of the worker gets the connections.
 */
export type Role = 'asked' | 'stands-in' | 'second'

/** The listener of a worker's server. */
export interface HeldListener {
  readonly bound: Bound
  readonly role: Role
}

export type ListenChoice = { readonly bound: Bound; readonly role: Role } | 'in-use' | undefined

/** The choice for a server that asks for `request`. undefined: it needs a listener of its own. `held`: listeners of the worker's other servers. */
export function chooseConfigured(configured: readonly Bound[], request: ServerAddress, held: readonly HeldListener[]): ListenChoice {
  const [first] = configured
  if (first === undefined) return undefined
  const isHeld = (bound: Bound) => held.some((one) => one.bound === bound && one.role === 'asked')
  const named = configured.filter((bound) => names(bound, request))
  const free = named.find((bound) => isSameHost(bound, request) && !isHeld(bound)) ?? named.find((bound) => !isHeld(bound))
  if (free !== undefined) return { bound: free, role: 'asked' }
  // Frameworks open one server for each address of `localhost`; one listener of the config may cover both.
  const [covering] = named.filter((bound) => !isSameHost(bound, request))
  if (covering !== undefined) return { bound: covering, role: 'second' }
  if (named.length > 0) return 'in-use'
  const ofConfig = held.filter(({ bound }) => bound.isConfigured)
  if (ofConfig.some(({ role }) => role !== 'stands-in')) return undefined
  // A server and a listener belong together if either may have any port.
  const any = configured.find(
    ({ path, asked }) => path === undefined && request.path === undefined && (request.port === 0 || asked.port === 0),
  )
  if (any !== undefined) return { bound: any, role: 'asked' }
  return ofConfig.length === 0 ? { bound: first, role: 'stands-in' } : undefined
}

/** Does an app's server ask for this address of the config? A port without a host matches every host. */
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
