// Clients that visit an https app on new connections, and what became of their sessions.

import type { SecureVersion } from 'node:tls'
import { TlsVisitor } from './tls-visitor.ts'

export interface TicketTotals {
  /** Visits of clients that had a session. */
  later: number
  /** Those that resumed it. */
  resumed: number
  /** Those that resumed it and came to the worker slot of the visit before. */
  inSlot: number
}

export interface VisitorsOptions {
  readonly port: number
  readonly version: SecureVersion
  readonly clients: number
  readonly keepsCookies?: boolean
}

/** Visits at the same time. With more, a worker that has just started can have so many that others help it out (`breakFloor`). */
const AT_ONCE = 8

export class TlsVisitors {
  readonly totals: TicketTotals = { later: 0, resumed: 0, inSlot: 0 }
  private readonly visitors: { readonly client: TlsVisitor; slot: number | undefined }[]

  constructor({ clients, ...options }: VisitorsOptions) {
    this.visitors = Array.from({ length: clients }, () => ({ client: new TlsVisitor(options), slot: undefined }))
  }

  /** Each client visits once. Rejects when a visit fails. */
  async visit(path = '/'): Promise<void> {
    const waiting = [...this.visitors]
    const next = async (): Promise<void> => {
      for (let visitor = waiting.pop(); visitor !== undefined; visitor = waiting.pop()) {
        const { resumed, slot } = await visitor.client.visit(path)
        if (visitor.slot !== undefined) {
          this.totals.later++
          if (resumed) this.totals.resumed++
          if (resumed && slot === visitor.slot) this.totals.inSlot++
        }
        visitor.slot = slot
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, next))
  }
}
