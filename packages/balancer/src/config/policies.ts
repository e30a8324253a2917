// Makes policies of what a config says of them: a policy, a plain function, or a name that JSON can write.

import {
  clientAddress,
  cookie,
  fromFunction,
  hash,
  header,
  type KeySource,
  leastInFlight,
  type Policy,
  pathSegment,
  policyNamed,
  query,
  sticky,
  ticket,
} from '@switchyard/routing'
import type { KeyConfig, PolicyConfig, StickyConfig } from './config.ts'

export interface PolicyScope {
  trustedProxies: readonly string[]
}

/** The policy that a checked config asks for; one of its own for each call with a name. Left out: `leastInFlight()`. */
export function policyOf(config: PolicyConfig | undefined, scope: PolicyScope): Policy {
  if (config === undefined) return leastInFlight()
  if (typeof config === 'function') return fromFunction(config)
  if (typeof config === 'string') return policyNamed(config)
  return 'pick' in config ? config : stickyOf(config, scope)
}

function stickyOf({ sticky: { by, otherwise, breakAt } }: StickyConfig, scope: PolicyScope): Policy {
  return sticky({
    by: typeof by === 'object' && 'ticket' in by ? ticket(by.ticket) : by === 'ticket' ? ticket() : hash(keyOf(by, scope)),
    ...(otherwise !== undefined && { otherwise: policyOf(otherwise, scope) }),
    ...(breakAt !== undefined && { breakAt }),
  })
}

function keyOf(key: Exclude<KeyConfig, { ticket: unknown }>, { trustedProxies }: PolicyScope): KeySource {
  if (key === 'client-address' || 'client-address' in key) return clientAddress({ trustedProxies })
  if ('cookie' in key) return cookie(key.cookie)
  if ('header' in key) return header(key.header)
  if ('query' in key) return query(key.query)
  return pathSegment(key['path-segment'])
}
