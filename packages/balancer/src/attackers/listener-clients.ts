// The clients that are refused at the listeners of the config in force.

import { trustedPeer } from '@switchyard/routing'
import type { BalancerEmitter } from '../events.ts'
import type { ListenAddress } from '../listener-settings.ts'
import { RefusedClients } from './refused-clients.ts'

export interface ListenerClientsOptions {
  readonly events: BalancerEmitter
  /** undefined: it is closed. */
  readonly listener: (number: number) => ListenAddress | undefined
  readonly trustedProxies: () => readonly string[]
}

export function openRefusedClients({ events, listener, trustedProxies }: ListenerClientsOptions): RefusedClients {
  return new RefusedClients({
    settingsOf: (number) => listener(number)?.http2,
    // Rare: asked for cut connections alone.
    isTrusted: (number, address) => trustedPeer([...trustedProxies(), ...(listener(number)?.proxyProtocol?.from ?? [])])(address),
    onRefused: (client) => events.emit('clientRefused', client),
  })
}
