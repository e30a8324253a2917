// A policy of your own: tenants with a contract have slots to themselves, all other tenants share the rest.

import { type Candidate, leastInFlight, type Policy } from '@switchyard/balancer'

/** The slots of each tenant. */
export type Contracts = Readonly<Record<string, readonly number[]>>

/**
 * Sends a tenant (header `X-Tenant`) to the least loaded of its own slots. All other tenants, and a tenant whose slots have no ready
 * worker, share the remaining slots.
 */
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
    // A busy worker of the tenant's own is better than a free one of others.
    binds: () => true,
  }
}

function firstFilled(...choices: (readonly Candidate[])[]): readonly Candidate[] {
  return choices.find((candidates) => candidates.length > 0) ?? []
}
