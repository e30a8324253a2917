// Loads the config file in a worker, for policies that are the user's own code. The primary passes the address of this file to the worker, which imports it only then.

import { dirname } from 'node:path'
import type { Policy } from '@switchyard/routing'
import type { BalancerConfig } from './config.ts'
import { loadConfig, withVariables } from './load-config.ts'
import { routeSettings } from './route-options.ts'

/**
 * The policies of the file's routes, in order, and last the policy for requests that match none. While the file is loaded, `variables` are in the environment,
 * except those that the environment has already.
 */
export async function loadPolicies(file: string, variables: Readonly<Record<string, string>>): Promise<Policy[]> {
  const missing = Object.fromEntries(Object.entries(variables).filter(([name]) => process.env[name] === undefined))
  const loaded = await withVariables(missing, process.env, () => loadConfig({ file, folder: dirname(file) }))
  const { routes, defaultPolicy } = routeSettings(loaded?.config as BalancerConfig, dirname(file))
  return [...routes.map(({ policy }) => policy), defaultPolicy]
}
