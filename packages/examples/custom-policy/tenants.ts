// A policy of one's own: tenants with a contract have slots to themselves, everybody else shares the rest.

import { type Candidate, leastInFlight, type Policy } from '@switchyard/balancer'

/** Which slots belong to which tenant. */
export type Contracts = Readonly<Record<string, readonly number[]>>

/** Sends a tenant (header `X-Tenant`) to its own slots. While none of them is ready, and for everybody else: whoever has least to do among the rest. */
export function byTenant(contracts: Contracts): Policy {
  const taken = new Set(Object.values(contracts).flat())
  const least = leastInFlight()
  return {
    name: 'byTenant',
    pick(candidates, head) {
      const slots = contracts[head.header('x-tenant') ?? '']
      const own = candidates.filter(({ slot }) => slots?.includes(slot))
      const shared = candidates.filter(({ slot }) => !taken.has(slot))
      return least.pick(firstFilled(own, shared, candidates), head)
    },
    // A busy worker of their own is better than a free one of others.
    binds: () => true,
  }
}

function firstFilled(...choices: (readonly Candidate[])[]): readonly Candidate[] {
  return choices.find((candidates) => candidates.length > 0) ?? []
}
