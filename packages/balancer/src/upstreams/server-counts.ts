// What the proxy workers of one pool have counted of its upstream servers since the pool began. Workers come and go, and each counts from its own start, so
// that differences of their reports are added up here.

import type { FailureCount, UpstreamReport } from '@switchyard/worker-runtime'

/** Servers with their generations, and rows of failures. Those that changed last are kept. */
const MAX_SERVERS = 4_096
const MAX_FAILURES = 500

/** Of one server. */
export interface ServerCount {
  readonly requests: number
  readonly failures: number
  /** Reason of its last failure; undefined: there was none. */
  readonly lastFailure: string | undefined
}

/** Exchanges that failed at one server for one reason. */
export interface FailedExchanges {
  readonly pool: string
  /** null: the requests got no server. */
  readonly slot: number | null
  /** As in the config. null: there was none, or it was removed before the failure was known. */
  readonly server: string | null
  /** What its name stood for; null: it is no name. */
  readonly address: string | null
  readonly reason: string
  /** Those that the client was told of. */
  readonly failed: number
  /** Those that were sent again. */
  readonly retried: number
  /** The last one, in ms since 1970. */
  readonly time: number
}

export interface ServerCountsOptions {
  readonly pool: string
  /** The server of a slot at present. */
  readonly nameOf: (slot: number, generation: number) => { readonly name: string; readonly address: string | undefined } | undefined
}

const NOTHING: ServerCount = { requests: 0, failures: 0, lastFailure: undefined }

export class ServerCounts {
  private readonly options: ServerCountsOptions
  private readonly servers = new Map<string, ServerCount>()
  private readonly failures = new Map<string, FailedExchanges>()

  constructor(options: ServerCountsOptions) {
    this.options = options
  }

  /** `before`: the last report of the same worker. */
  add(before: UpstreamReport | undefined, { servers, failures }: UpstreamReport): void {
    const known = new Map(before?.servers.map((server) => [serverKey(server), server]))
    for (const server of servers) {
      const key = serverKey(server)
      const { requests, lastFailure, ...count } = this.servers.get(key) ?? NOTHING
      const failed = grown(server.failures, known.get(key)?.failures)
      put(this.servers, MAX_SERVERS, key, {
        requests: requests + grown(server.requests, known.get(key)?.requests),
        failures: count.failures + failed,
        lastFailure: failed > 0 ? server.lastFailure : lastFailure,
      })
    }
    const knownFailures = new Map(before?.failures.map((one) => [failureKey(one), one]))
    for (const one of failures) this.addFailures(one, knownFailures.get(failureKey(one)))
  }

  of(server: { readonly slot: number; readonly generation: number }): ServerCount {
    return this.servers.get(serverKey(server)) ?? NOTHING
  }

  /** The one that failed last is at the end. */
  get failedExchanges(): FailedExchanges[] {
    return [...this.failures.values()].sort((one, other) => one.time - other.time)
  }

  private addFailures({ slot, generation, reason, failed, retried, atMs }: FailureCount, before: FailureCount | undefined): void {
    const more = { failed: grown(failed, before?.failed), retried: grown(retried, before?.retried) }
    if (more.failed + more.retried === 0) return
    const named = slot === null ? undefined : this.options.nameOf(slot, generation)
    const server = named?.name ?? null
    const address = named?.address ?? null
    const key = `${slot} ${server} ${address} ${reason}`
    const known = this.failures.get(key)
    put(this.failures, MAX_FAILURES, key, {
      ...{ pool: this.options.pool, slot, server, address, reason },
      failed: (known?.failed ?? 0) + more.failed,
      retried: (known?.retried ?? 0) + more.retried,
      time: Math.max(known?.time ?? 0, atMs),
    })
  }
}

/** Workers are not trusted to count upwards. */
function grown(now: number, before = 0): number {
  return Math.max(0, now - before)
}

function put<Value>(map: Map<string, Value>, most: number, key: string, value: Value): void {
  map.delete(key)
  map.set(key, value)
  const [oldest] = map.keys()
  if (map.size > most && oldest !== undefined) map.delete(oldest)
}

function serverKey({ slot, generation }: { readonly slot: number; readonly generation: number }): string {
  return `${slot} ${generation}`
}

function failureKey({ slot, generation, reason }: FailureCount): string {
  return `${slot} ${generation} ${reason}`
}
