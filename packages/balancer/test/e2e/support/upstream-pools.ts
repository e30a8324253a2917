// Configs with upstream pools of one proxy worker each, so that a test sees what one worker does. The path of each pool begins with its name.

import type { PoolConfig, RouteConfig } from '../../../src/config/config.ts'
import type { UpstreamConfig } from '../../../src/config/pool/upstream-options.ts'

/** `more`: other options of a pool. */
export function upstreamPools(
  upstreams: Readonly<Record<string, UpstreamConfig>>,
  more: Readonly<Record<string, object>> = {},
): { pools: Record<string, PoolConfig>; routes: (RouteConfig & { pool: string })[] } {
  const pools = Object.entries(upstreams).map(([name, upstream]) => [name, { workers: 1, upstream, ...more[name] }])
  return {
    pools: Object.fromEntries(pools) as Record<string, PoolConfig>,
    routes: Object.keys(upstreams).map((pool) => ({ path: `/${pool}/*`, pool })),
  }
}

export function urlOf(port: number): string {
  return `http://127.0.0.1:${port}`
}
