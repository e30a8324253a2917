// Settings of a pool as a config without options gives them, for tests that speak to the parts below the config.

import { fileURLToPath } from 'node:url'
import { resolveSettings } from '../src/config/resolve.ts'
import type { PoolSettings } from '../src/settings.ts'

const app = fileURLToPath(import.meta.url)

/** With what a test wants otherwise. */
export function poolSettings(changes: Partial<PoolSettings> = {}): PoolSettings {
  const { pools } = resolveSettings({ app, pools: { web: { workers: 1 } } }, { folder: '/' })
  return { ...(pools[0] as PoolSettings), ...changes }
}
