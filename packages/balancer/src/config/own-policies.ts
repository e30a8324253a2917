// Loads the config file in a worker, for policies that are the user's own code. The worker runtime imports it by address, and only when it must.

import { dirname } from 'node:path'
import type { Policy } from '@switchyard/routing'
import { loadConfig } from './load.ts'
import { resolvePolicies } from './resolve.ts'

/** The policies of the file's routes, in their order; the last is that of the route that serves what no other matches. */
export async function loadPolicies(file: string): Promise<Policy[]> {
  const loaded = await loadConfig({ file, folder: dirname(file) })
  return resolvePolicies(loaded?.config)
}
