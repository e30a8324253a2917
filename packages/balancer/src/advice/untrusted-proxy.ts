// A proxy in front of the balancer whose addresses are not trusted: policies see all of its clients as one.

import type { Advice } from '../advice.ts'
import { valueText } from './config-text.ts'
import type { Period } from './period.ts'

const LEAST_CLIENTS = 8

export function untrustedProxies({ config, pools }: Period): Advice[] {
  const clients = new Map<string, number>()
  for (const { observed } of pools.flatMap(({ workers }) => workers))
    for (const proxy of observed?.proxies ?? []) clients.set(proxy.address, Math.max(proxy.clients, clients.get(proxy.address) ?? 0))
  return [...clients]
    .filter(([address, count]) => count >= LEAST_CLIENTS && !config.trustedProxies.includes(address))
    .map(([address, count]) => ({
      kind: 'untrusted-proxy',
      subject: address,
      seen: `Connections from ${address} carry requests of ${count} clients or more (X-Forwarded-For), and that address is not trusted: policies by client address see one client.`,
      advice: `If it is your proxy, trust it. If it is not, do nothing: a client can write any X-Forwarded-For.`,
      config: `trustedProxies: ${valueText([...config.trustedProxies, address])},`,
    }))
}
