// Settings of a pool whose workers are proxies for upstream servers, and the part of them that a worker is told.

import { isIP } from 'node:net'
import type { PolicyData } from '@switchyard/routing'
import type { UpstreamAddress, UpstreamStart } from '@switchyard/worker-runtime'
import type { LimitSettings, PoolSettings } from './settings.ts'

/** How names of servers are looked up. */
export interface DnsSettings {
  /** Addresses of DNS servers, with or without a port. Empty: those of the system. */
  readonly servers: readonly string[]
  /** An answer is used for at least and at most so long. */
  readonly minTtlMs: number
  readonly maxTtlMs: number
  /** From one lookup to the next where the answer has no time of its own. */
  readonly intervalMs: number
  readonly timeoutMs: number
  /** Addresses of one name that are used. */
  readonly maxAddresses: number
}

type OfWorkers =
  | 'servers'
  | 'version'
  | 'maxConnections'
  | 'queueLimit'
  | 'queueTimeoutMs'
  | 'drainTimeoutMs'
  | 'maxVisitors'
  | 'visitorTtlMs'

export interface UpstreamSettings extends Omit<UpstreamStart, OfWorkers> {
  readonly servers: readonly UpstreamAddress[]
  /** By the index of the server. A server beyond the list has 1. */
  readonly weights: readonly number[]
  /** To one server, of all workers together. */
  readonly maxConnections: number
  readonly dns: DnsSettings
  /** The policies that choose servers, by the number of the route; the last is that of requests that match none. null: another pool's route. */
  readonly policies: readonly (PolicyData | 'own' | null)[]
}

/** What each worker of the pool is told, but for its servers. undefined: its workers run an app. */
export function upstreamStart(
  { upstream, workers, autoscale, queueLimit, queueTimeoutMs }: PoolSettings,
  { drainTimeoutMs, maxLearned, learnedTtlMs }: Pick<LimitSettings, 'drainTimeoutMs' | 'maxLearned' | 'learnedTtlMs'>,
): Omit<UpstreamStart, 'servers' | 'version'> | undefined {
  if (upstream === undefined) return undefined
  const { servers, weights, dns, ...told } = upstream
  const most = Math.max(1, autoscale?.max ?? workers)
  return {
    ...told,
    maxConnections: Math.max(1, Math.floor(upstream.maxConnections / most)),
    ...{ queueLimit, queueTimeoutMs, drainTimeoutMs, maxVisitors: maxLearned, visitorTtlMs: learnedTtlMs },
  }
}

/** Do workers need the keys of tickets to choose a server? */
export function setsUpstreamTickets(upstream: UpstreamSettings | undefined): boolean {
  return upstream?.policies.some((policy) => policy === 'own' || JSON.stringify(policy ?? '').includes('"ticket"')) === true
}

/** The name to look up; undefined: the server is an address, a unix socket, or this host, whose families each connection tries in turn. */
export function nameToLookUp({ host }: UpstreamAddress): string | undefined {
  if (host === undefined || isIP(host) !== 0 || /^(.*\.)?localhost\.?$/i.test(host)) return undefined
  return host
}
