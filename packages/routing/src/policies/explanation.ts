// What a policy that is contained in another says of its choice.

import type { RequestHead } from '../head/request-head.ts'
import type { Candidate, Policy } from '../policy.ts'

/** The policy's own explanation, or else its name. */
export function explanationOf(policy: Policy, candidates: readonly Candidate[], head: RequestHead): string {
  return policy.explain?.(candidates, head) ?? policy.name
}
