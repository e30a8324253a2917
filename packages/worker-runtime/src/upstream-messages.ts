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

/** Exchanges that failed at one server for one reason, since the start of the worker. */
export interface FailureCount {
  /** null: the request got no server. */
  readonly slot: number | null
  readonly generation: number
  readonly reason: string
  /** Those that the client was told of. */
  readonly failed: number
  /** Those that were sent again. */
  readonly retried: number
  /** The last one, in ms since 1970. */
  readonly atMs: number
}

/** `version`: of the list of servers that the worker uses. */
export interface UpstreamReport {
  readonly version: number
  /** Requests that wait for a connection. */
  readonly waiting: number
  readonly servers: readonly ServerReport[]
  readonly failures: readonly FailureCount[]
}

/** The servers that a worker uses from now on. `restarted`: the slot whose failures are forgotten, and whose connections are made anew. */
export interface UpstreamChange {
  readonly version: number
  readonly servers: readonly UpstreamTarget[]
  readonly restarted: number | undefined
}

/** The server that a request was sent to, and those that could have been chosen, as the policy saw them. */
export interface ServerChoice {
  /** In ms since 1970. */
  readonly atMs: number
  /** The number of the route. */
  readonly route: number
  readonly policy: string
  readonly slot: number
  readonly generation: number
  readonly key?: { readonly kind: string; readonly value: string } | undefined
  readonly candidates: readonly ChoiceCandidate[]
}

export interface ChoiceCandidate {
  readonly slot: number
  readonly generation: number
  readonly weight: number
  readonly inFlight: number
  readonly latencyMs: number
}

/** Choices of one message. More in a tenth of a second are not reported. */
export const MAX_CHOICES = 50
/** A longer key is left out. A message of choices must stay far below the limit of a frame. */
export const MAX_CHOICE_KEY = 1_024
/** Of one choice. */
export const MAX_CHOICE_CANDIDATES = 16

/** Of one worker. Those that failed last are kept. */
export const MAX_FAILURE_COUNTS = 200

/** Servers and their addresses, and those that still drain. */
const MAX_SERVERS = 10_000
const MAX_REASON = 40

/** A valid report, else undefined. Workers are not trusted. */
export function readUpstreamReport(from: unknown): UpstreamReport | undefined {
  if (!isRecord(from) || !Array.isArray(from.servers)) return undefined
  const servers = from.servers.slice(0, MAX_SERVERS).flatMap((one: unknown) => (isRecord(one) ? [serverReport(one)] : []))
  const failures = (Array.isArray(from.failures) ? from.failures : [])
    .slice(0, MAX_FAILURE_COUNTS)
    .flatMap((one: unknown) => (isRecord(one) ? [failureCount(one)] : []))
  return { version: amount(from.version), waiting: amount(from.waiting), servers, failures }
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

/** The valid ones among these choices. */
export function readChoices(from: unknown): ServerChoice[] {
  if (!Array.isArray(from)) return []
  return from.slice(0, MAX_CHOICES).flatMap((one: unknown) => (isRecord(one) ? [serverChoice(one)] : []))
}

function serverChoice({ atMs, route, policy, slot, generation, key, candidates }: Record<string, unknown>): ServerChoice {
  const found = isRecord(key) ? { kind: text(key.kind, MAX_REASON), value: text(key.value, MAX_CHOICE_KEY) } : undefined
  return {
    ...{ atMs: amount(atMs), route: amount(route), policy: text(policy, MAX_REASON), slot: amount(slot), generation: amount(generation) },
    key: found,
    candidates: Array.isArray(candidates)
      ? candidates.slice(0, MAX_CHOICE_CANDIDATES).flatMap((one: unknown) => (isRecord(one) ? [choiceCandidate(one)] : []))
      : [],
  }
}

function choiceCandidate({ slot, generation, weight, inFlight, latencyMs }: Record<string, unknown>): ChoiceCandidate {
  return {
    ...{ slot: amount(slot), generation: amount(generation), weight: amount(weight) },
    ...{ inFlight: amount(inFlight), latencyMs: amount(latencyMs) },
  }
}

function text(value: unknown, most: number): string {
  return typeof value === 'string' ? value.slice(0, most) : ''
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

function failureCount({ slot, generation, reason, failed, retried, atMs }: Record<string, unknown>): FailureCount {
  return {
    ...{ slot: typeof slot === 'number' ? amount(slot) : null, generation: amount(generation), reason: text(reason, MAX_REASON) },
    ...{ failed: amount(failed), retried: amount(retried), atMs: amount(atMs) },
  }
}

/** A number from 0; anything else is 0. */
function amount(value: unknown): number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : 0
}
