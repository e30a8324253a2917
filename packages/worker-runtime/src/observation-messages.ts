// What a worker has seen that the balancer can give advice on, and its check on arrival. All counts are since the start of the worker.

import { isIP } from 'node:net'
import { isRecord } from './listen-protocol.ts'

/** Requests of one method and path shape, such as `/reports/:id`, that kept the event loop from turning. */
export interface BlockingPath {
  readonly method: string
  readonly path: string
  /** Requests that blocked, and for how long in all. */
  readonly requests: number
  readonly blockedMs: number
  /** Requests of this shape among the samples. */
  readonly sampled: number
}

/** A peer that forwards for other clients and is not trusted. */
export interface UntrustedProxy {
  readonly address: string
  /** Different clients that it named. The count ends at a bound. */
  readonly clients: number
}

/** Requests that moved because they have another key than the request before them, which came from the same client. */
export interface ChangingKey {
  /** The name of the route. */
  readonly route: string
  readonly requests: number
}

/** Requests for socket.io sessions that another worker has. */
export interface LostSessions {
  readonly requests: number
  /** Of the route that they need, such as `/socket.io/*`. */
  readonly path: string
  /** The route is sticky, and the session ids carry no ticket. false: the route is not sticky. */
  readonly isSticky: boolean
}

export interface WorkerObservations {
  readonly blocking: readonly BlockingPath[]
  /** Requests that were sampled, one in eight of all since the first that blocked. */
  readonly sampled: number
  /** Path shapes among the samples that have not blocked. */
  readonly otherPaths: number
  readonly proxies: readonly UntrustedProxy[]
  readonly changingKeys: readonly ChangingKey[]
  readonly lostSessions: LostSessions | undefined
}

/** One request in this many is a sample. */
export const SAMPLE_EVERY = 8
export const MAX_BLOCKING_PATHS = 32
export const MAX_PROXIES = 16
export const MAX_CHANGING_KEYS = 64
const MAX_ROUTE_NAME = 1_000
const METHOD = /^[A-Z]{1,16}$/
const PATH = /^(?:\/[\w.:-]{1,40}){0,6}(?:\/\*?)?$/

/** Workers are not trusted: what is impossible is left out, and texts can't do more than be read. */
export function readObservations(from: unknown): WorkerObservations {
  const { blocking, sampled, otherPaths, proxies, changingKeys, lostSessions } = isRecord(from) ? from : {}
  return {
    blocking: listOf(blocking, MAX_BLOCKING_PATHS, readBlocking),
    sampled: countOf(sampled),
    otherPaths: countOf(otherPaths),
    proxies: listOf(proxies, MAX_PROXIES, ({ address, clients }) =>
      typeof address === 'string' && (isIP(address) !== 0 || address === 'unix') ? { address, clients: countOf(clients) } : undefined,
    ),
    changingKeys: listOf(changingKeys, MAX_CHANGING_KEYS, ({ route, requests }) =>
      typeof route === 'string' && route.length <= MAX_ROUTE_NAME ? { route, requests: countOf(requests) } : undefined,
    ),
    lostSessions: isRecord(lostSessions) && isPath(lostSessions.path) ? readLost(lostSessions, lostSessions.path) : undefined,
  }
}

function readBlocking({ method, path, requests, blockedMs, sampled }: Record<string, unknown>): BlockingPath | undefined {
  if (typeof method !== 'string' || !METHOD.test(method) || !isPath(path)) return undefined
  return { method, path, requests: countOf(requests), blockedMs: countOf(blockedMs), sampled: countOf(sampled) }
}

function readLost({ requests, isSticky }: Record<string, unknown>, path: string): LostSessions {
  return { requests: countOf(requests), path, isSticky: isSticky === true }
}

function isPath(value: unknown): value is string {
  return typeof value === 'string' && PATH.test(value)
}

function listOf<T>(from: unknown, most: number, read: (value: Record<string, unknown>) => T | undefined): T[] {
  if (!Array.isArray(from)) return []
  return from.slice(0, most).flatMap((value: unknown) => (isRecord(value) ? (read(value) ?? []) : []))
}

function countOf(value: unknown): number {
  return typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER ? Math.floor(value) : 0
}
