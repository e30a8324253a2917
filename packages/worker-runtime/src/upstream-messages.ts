// Messages between the primary and the proxy workers of an upstream pool, and their checks on arrival.

import { isRecord } from './listen-protocol.ts'
import type { UpstreamTarget } from './upstream-start.ts'

export const serverStates = ['up', 'ejected', 'down', 'draining'] as const

/**
 * What a proxy worker makes of a server. `ejected`: it has failed requests; `down`: it has failed probes; `draining`: it was removed or taken out of service,
 * and finishes its requests.
 */
export type ServerState = (typeof serverStates)[number]

/** One server as one proxy worker sees it. Counts are since the start of the worker. */
export interface ServerReport {
  readonly slot: number
  readonly generation: number
  readonly state: ServerState
  readonly inFlight: number
  readonly connections: number
  /** Moving average of the time until an answer begins. */
  readonly latencyMs: number
  readonly requests: number
  readonly failures: number
  /** Reason of the last failure; undefined: there was none. */
  readonly lastFailure: string | undefined
}

/** `version`: of the list of servers that the worker uses. */
export interface UpstreamReport {
  readonly version: number
  /** Requests that wait for a connection. */
  readonly waiting: number
  readonly servers: readonly ServerReport[]
}

/** The servers that a worker uses from now on. `restarted`: the slot whose failures are forgotten, and whose connections are made anew. */
export interface UpstreamChange {
  readonly version: number
  readonly servers: readonly UpstreamTarget[]
  readonly restarted: number | undefined
}

/** Servers and their addresses, and those that still drain. */
const MAX_SERVERS = 10_000
const MAX_REASON = 40

/** A valid report, else undefined. Workers are not trusted. */
export function readUpstreamReport(from: unknown): UpstreamReport | undefined {
  if (!isRecord(from) || !Array.isArray(from.servers)) return undefined
  const servers = from.servers.slice(0, MAX_SERVERS).flatMap((one: unknown) => (isRecord(one) ? [serverReport(one)] : []))
  return { version: amount(from.version), waiting: amount(from.waiting), servers }
}

/** A valid change from the primary, else undefined. */
export function readUpstreamChange({ version, servers, restarted }: Record<string, unknown>): UpstreamChange | undefined {
  if (!Array.isArray(servers)) return undefined
  return {
    version: amount(version),
    servers: servers as readonly UpstreamTarget[],
    restarted: typeof restarted === 'number' ? restarted : undefined,
  }
}

function serverReport(from: Record<string, unknown>): ServerReport {
  const { state, lastFailure } = from
  return {
    slot: amount(from.slot),
    generation: amount(from.generation),
    state: serverStates.find((known) => known === state) ?? 'down',
    inFlight: amount(from.inFlight),
    connections: amount(from.connections),
    latencyMs: amount(from.latencyMs),
    requests: amount(from.requests),
    failures: amount(from.failures),
    lastFailure: typeof lastFailure === 'string' ? lastFailure.slice(0, MAX_REASON) : undefined,
  }
}

/** A number from 0; anything else is 0. */
function amount(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : 0
}
