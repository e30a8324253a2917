// Settings of a pool whose workers are proxies for upstream servers, and the part of them that a worker is told.

import type { PolicyData } from '@switchyard/routing'
import type { UpstreamStart } from '@switchyard/worker-runtime'
import type { PoolSettings } from './settings.ts'

export interface UpstreamSettings extends Omit<UpstreamStart, 'policies' | 'maxConnections' | 'queueLimit' | 'queueTimeoutMs'> {
  /** To one server, of all workers together. */
  readonly maxConnections: number
  /** The policies that choose servers, by the number of the route; the last is that of requests that match none. null: another pool's route. */
  readonly policies: readonly (PolicyData | null)[]
}

/** What each worker of the pool is told. undefined: its workers run an app. */
export function upstreamStart({ upstream, workers, autoscale, queueLimit, queueTimeoutMs }: PoolSettings): UpstreamStart | undefined {
  if (upstream === undefined) return undefined
  const most = Math.max(1, autoscale?.max ?? workers)
  return { ...upstream, maxConnections: Math.max(1, Math.floor(upstream.maxConnections / most)), queueLimit, queueTimeoutMs }
}

/** Do workers need the keys of tickets to choose a server? */
export function setsUpstreamTickets(upstream: UpstreamSettings | undefined): boolean {
  return upstream?.policies.some((policy) => JSON.stringify(policy ?? '').includes('"ticket"')) === true
}
