// Policies by name, for configs that are data.

import type { Policy } from '../policy.ts'
import { leastBusy } from './least-busy.ts'
import { leastInFlight } from './least-in-flight.ts'
import { roundRobin } from './round-robin.ts'

const FACTORIES: ReadonlyMap<string, () => Policy> = new Map<string, () => Policy>([
  ['least-busy', () => leastBusy()],
  ['round-robin', roundRobin],
  ['least-in-flight', leastInFlight],
])

/** The names that `policyNamed` knows. */
export const policyNames: readonly string[] = [...FACTORIES.keys()]

/** Makes the policy of that name. Throws RangeError when there is none. */
export function policyNamed(name: string): Policy {
  const factory = FACTORIES.get(name)
  if (factory === undefined) throw new RangeError(`policy: expected one of ${policyNames.join(', ')}, got ${name}`)
  return factory()
}
