// Builds policies and keys from their names and from plain data. A policy's own `data` is the way back.

import { clientAddress } from './client-address.ts'
import { cookie, header, type KeySource, pathSegment, query } from './keys.ts'
import { leastBusy } from './policies/least-busy.ts'
import { leastInFlight } from './policies/least-in-flight.ts'
import { roundRobin } from './policies/round-robin.ts'
import { hash, learn, sticky, ticket } from './policies/sticky/sticky.ts'
import type { StickyBy } from './policies/sticky/sticky-by.ts'
import type { Policy } from './policy.ts'
import type { KeyData, PolicyData, StickyData } from './policy-data.ts'

const FACTORIES: ReadonlyMap<string, () => Policy> = new Map<string, () => Policy>([
  ['least-busy', () => leastBusy()],
  ['round-robin', roundRobin],
  ['least-in-flight', leastInFlight],
])

/** The names that `policyNamed` knows. */
export const policyNames: readonly string[] = [...FACTORIES.keys()]

/** Defaults that data takes from its surroundings. */
export interface DataScope {
  /** For a `client-address` that names none itself. */
  readonly trustedProxies: readonly string[]
}

/** Makes the policy of that name. Throws RangeError for an unknown name. */
export function policyNamed(name: string): Policy {
  const factory = FACTORIES.get(name)
  if (factory === undefined) throw new RangeError(`policy: expected one of ${policyNames.join(', ')}, got ${name}`)
  return factory()
}

/** Makes a policy from data, a new one for each call. Throws RangeError or TypeError as the factories do. */
export function policyFromData(data: PolicyData, scope: DataScope): Policy {
  if (typeof data === 'string') return policyNamed(data)
  if ('least-busy' in data) return leastBusy(data['least-busy'])
  const { otherwise, breakAt, breakFloor } = data.sticky
  return sticky({
    by: byFromData(data.sticky, scope),
    ...(otherwise !== undefined && { otherwise: policyFromData(otherwise, scope) }),
    ...(breakAt !== undefined && { breakAt }),
    ...(breakFloor !== undefined && { breakFloor }),
  })
}

function byFromData({ by, seed }: StickyData['sticky'], scope: DataScope): StickyBy {
  if (by === 'ticket') return ticket()
  if (typeof by === 'object' && 'ticket' in by) return ticket(by.ticket)
  if (typeof by === 'object' && 'learn' in by) return learn(by.learn)
  return hash(keyFromData(by, scope), seed === undefined ? {} : { seed })
}

function keyFromData(data: KeyData, scope: DataScope): KeySource {
  if (data === 'client-address') return clientAddress(scope)
  if ('client-address' in data) {
    const { trustedProxies = scope.trustedProxies, header: field } = data['client-address']
    return clientAddress({ trustedProxies, ...(field !== undefined && { header: field }) })
  }
  if ('cookie' in data) return cookie(data.cookie)
  if ('header' in data) return header(data.header)
  if ('query' in data) return query(data.query)
  return pathSegment(data['path-segment'])
}
