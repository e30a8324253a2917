// Loads the config file in a worker, for policies that are the user's own code. The worker runtime imports it by address, and only when it must.

import { dirname } from 'node:path'
import type { Policy } from '@switchyard/routing'
import { loadConfig } from './load-config.ts'
import { resolvePolicies } from './resolve.ts'
import { withVariables } from './variables.ts'

/** The policies of the file's routes, in their order; the last is that of the route that serves what no other matches. `variables` are in the environment while it is loaded, unless it has others of that name. */
export async function loadPolicies(file: string, variables: Readonly<Record<string, string>>): Promise<Policy[]> {
  const missing = Object.fromEntries(Object.entries(variables).filter(([name]) => process.env[name] === undefined))
  const loaded = await withVariables(missing, process.env, () => loadConfig({ file, folder: dirname(file) }))
  return resolvePolicies(loaded?.config)
}
