// Counts the connections and streams of HTTP/2 that end in this worker, in the form of prom-client's registries, so that they are served with the pool's
// metrics.

/** Why a connection was ended or a stream reset before its time. */
export const http2EndReasons = ['resets', 'control-bytes', 'flood', 'protocol', 'idle', 'crowded', 'drain', 'malformed', 'stalled'] as const

export type Http2EndReason = (typeof http2EndReasons)[number]

export class Http2Counts {
  sessions = 0
  private readonly ended = new Map<Http2EndReason, number>()

  end(reason: Http2EndReason): void {
    this.ended.set(reason, (this.ended.get(reason) ?? 0) + 1)
  }

  /** As a registry of prom-client. */
  getMetricsAsArray(): readonly unknown[] {
    const ended = http2EndReasons.map((reason) => ({ labels: { reason }, value: this.ended.get(reason) ?? 0 }))
    const metrics = [
      {
        ...{ name: 'http2_sessions', type: 'gauge', aggregator: 'sum', help: 'Open HTTP/2 connections that end in a worker' },
        values: [{ labels: {}, value: this.sessions }],
      },
      {
        ...{ name: 'http2_ended_total', type: 'counter', aggregator: 'sum', values: ended },
        help: 'HTTP/2 connections ended and streams reset by a worker, by reason',
      },
    ]
    // `hashMap`: as prom-client has it, read at the exit of the process.
    return metrics.map((metric) => ({ ...metric, hashMap: { ...metric.values }, get: () => metric }))
  }
}
