// Makes policies of what a config says of them: a policy, a plain function, or what JSON can write.

import { type DataScope, fromFunction, leastBusy, type Policy, policyFromData } from '@switchyard/routing'
import type { PolicyConfig } from './config.ts'

/** The policy that a checked config asks for; one of its own for each call with data. Left out: `leastBusy()`. */
export function policyOf(config: PolicyConfig | undefined, scope: DataScope): Policy {
  if (config === undefined) return leastBusy()
  if (typeof config === 'function') return fromFunction(config)
  return typeof config === 'object' && 'pick' in config ? config : policyFromData(config, scope)
}
