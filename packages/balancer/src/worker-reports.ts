// Passes what workers report of themselves to the parts of the primary that keep it: load, learned visitors, TLS session tickets, the parser's limit, and sessions.

import type { CutConnections } from './attackers/cut-connections.ts'
import type { RefusedClients } from './attackers/refused-clients.ts'
import type { Pool } from './dispatch/pool.ts'
import type { SessionHandover } from './sessions/session-handover.ts'
import type { WorkerMessages } from './supervisor/worker-messages.ts'
import type { TlsTickets } from './tls-tickets/tls-tickets.ts'
import type { VisitorTable } from './visitors/visitor-table.ts'

export interface WorkerReportsOptions {
  readonly pools: ReadonlyMap<string, Pool>
  readonly visitors: VisitorTable
  readonly handover: SessionHandover
  readonly tlsTickets: TlsTickets
  readonly cutConnections: CutConnections
  readonly refusedClients: RefusedClients
  /** The parser of a worker's server takes this many bytes of header fields; 0: it has no limit. */
  readonly onHeaderLimit: (bytes: number) => void
}

export function followReports(messages: WorkerMessages, options: WorkerReportsOptions): void {
  const { pools, visitors, handover, tlsTickets, cutConnections, refusedClients, onHeaderLimit } = options
  messages.subscribe('report', ({ pool, load: row }, { load }) => {
    row.report(load)
    pools.get(pool)?.keptConnections.decide()
  })
  messages.subscribe('session-report', (worker, { report }) => {
    worker.sessions = report
  })
  messages.subscribe('observed', (worker, { observed }) => {
    worker.observed = observed
  })
  messages.subscribe('learned', ({ pool, slot }, learned) => visitors.learn(pool, learned.slot ?? slot, learned.keys))
  messages.subscribe('tls-tickets', ({ pool }, { slot, firm, names }) => tlsTickets.learn(pool, { slot, firm }, names))
  messages.subscribe('cuts', (_worker, { cuts }) => {
    for (const cut of cuts) {
      cutConnections.record(cut, Date.now())
      refusedClients.record(cut, performance.now())
    }
  })
  messages.subscribe('header-limit', (_worker, { bytes }) => onHeaderLimit(bytes))
  // A worker that is gone reads no replies.
  messages.subscribe('sessions', (worker, batch) => {
    if (worker.state !== 'gone') handover.onMessage(worker, batch)
  })
}
