// Counts what a proxy worker does with its upstream servers, in the form of prom-client's registries, so that it is served with the pool's metrics.

import type { CollectedMetric } from '../../reports/metric-deltas.ts'
import type { FailureReason } from '../connection/failure.ts'
import type { UpstreamServer } from '../servers/upstream-server.ts'

type Labels = Readonly<Record<string, string>>

interface Counted {
  readonly labels: Labels
  value: number
}

/** Labels are few: servers and reasons. */
class Counter {
  private readonly values = new Map<string, Counted>()

  add(labels: Labels): void {
    const key = Object.values(labels).join('\n')
    const known = this.values.get(key)
    if (known === undefined) this.values.set(key, { labels, value: 1 })
    else known.value++
  }

  get all(): Counted[] {
    return [...this.values.values()]
  }
}

export class UpstreamMetrics {
  private readonly servers: () => readonly UpstreamServer[]
  private readonly waiting: () => number
  private readonly requests = new Counter()
  private readonly failures = new Counter()
  private readonly retries = new Counter()

  constructor(servers: () => readonly UpstreamServer[], waiting: () => number) {
    this.servers = servers
    this.waiting = waiting
  }

  onRequest(server: UpstreamServer): void {
    this.requests.add({ server: server.address.name })
  }

  onFailure(server: UpstreamServer | undefined, reason: FailureReason): void {
    this.failures.add({ server: server?.address.name ?? '', reason })
  }

  onRetry(): void {
    this.retries.add({})
  }

  /** As a registry of prom-client. */
  getMetricsAsArray(): readonly unknown[] {
    // `hashMap`: as prom-client has it, read at the exit of the process.
    return this.collect().map((metric) => ({ ...metric, hashMap: { ...metric.values }, get: () => metric }))
  }

  private collect(): CollectedMetric[] {
    // The addresses of one name are one server here: names are few, addresses come and go.
    const perServer = (read: (server: UpstreamServer) => number): Counted[] => {
      const sums = new Map<string, number>()
      for (const server of this.servers()) sums.set(server.address.name, (sums.get(server.address.name) ?? 0) + read(server))
      return [...sums].map(([name, value]) => ({ labels: { server: name }, value }))
    }
    const of = (name: string, type: string, help: string, values: readonly Counted[], aggregator = 'sum'): CollectedMetric => ({
      ...{ name: `upstream_${name}`, help, type, aggregator, values },
    })
    return [
      of('requests_total', 'counter', 'Requests sent to an upstream server, retries included', this.requests.all),
      of('failures_total', 'counter', 'Requests that failed because of an upstream server, by reason', this.failures.all),
      of('retries_total', 'counter', 'Requests that were sent again', this.retries.all),
      of(
        'in_flight',
        'gauge',
        'Requests in flight to an upstream server',
        perServer(({ inFlight }) => inFlight),
      ),
      of(
        'connections',
        'gauge',
        'Connections to an upstream server, idle and upgraded ones included',
        perServer(({ connections }) => connections.openCount),
      ),
      of('waiting', 'gauge', 'Requests that wait for a connection to an upstream server', [{ labels: {}, value: this.waiting() }]),
      of(
        'up',
        'gauge',
        'Proxy workers that send requests to an upstream server',
        perServer(({ state }) => (state === 'up' ? 1 : 0)),
      ),
    ]
  }
}
