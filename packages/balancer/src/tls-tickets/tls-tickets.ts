// The TLS session tickets of all pools, in the primary: it makes and rotates their keys, and knows which slot a ticket belongs to. While no app has a TLS
// server there are no keys, and nothing but this file is loaded.

import type { TicketHome, TicketHomes } from '@switchyard/routing'
import type { TlsTicketStart } from '@switchyard/worker-runtime'
import type { StateTransfer } from '../state-transfer.ts'
import type { PoolWorker } from '../supervisor/pool-worker.ts'
import type { HandedOverSecrets, TicketSecrets } from './ticket-secrets.ts'
import { type TicketOwner, TicketSlotTable } from './ticket-slot-table.ts'

export interface TlsTicketsOptions {
  /** How often new tickets get a new key. Read at each rotation. */
  readonly rotationMs: () => number
  /** Of the old primary; undefined: there is none, or its apps have no TLS server. */
  readonly handedOver: HandedOverSecrets | undefined
  /** Gets each change of the table of slots, for a new primary. */
  readonly onLearned: (owner: TicketOwner) => void
}

/** Name of the table's StateTransfer; both primaries use it. */
export const TLS_TICKETS = 'tls-tickets'

export class TlsTickets implements TicketHomes, StateTransfer {
  readonly name = TLS_TICKETS
  private readonly options: TlsTicketsOptions
  /** Workers with a TLS server. */
  private readonly holders = new Set<PoolWorker>()
  private readonly table = new TicketSlotTable(() => performance.now())
  private secrets: TicketSecrets | undefined

  constructor(options: TlsTicketsOptions) {
    this.options = options
  }

  /** The keys for a worker with a TLS server. The worker gets later ones too. */
  async startFor(worker: PoolWorker): Promise<TlsTicketStart> {
    const { TicketSecrets } = await import('./ticket-secrets.ts')
    if (this.secrets === undefined) {
      this.secrets = new TicketSecrets(this.options.handedOver)
      this.rotateIn(this.secrets.untilRotation(Date.now(), this.options.rotationMs()))
    }
    this.holders.add(worker)
    return this.secrets.startFor(worker.pool)
  }

  /** What a worker has reported comes before what the name says: the name has the slot where the ticket was issued. */
  homeOf(pool: string, names: readonly Uint8Array[]): TicketHome | undefined {
    const { secrets } = this
    if (secrets === undefined) return undefined
    for (const name of names) {
      const home = this.table.homeOf(pool, Buffer.from(name).toString('base64url'))
      if (home !== undefined) return home
      const slot = secrets.namesOf(pool).read(name)?.slot
      if (slot !== undefined) return { slot, firm: false }
    }
    return undefined
  }

  /** A worker reports that tickets of its pool belong to a slot. Ignores names that no worker of the pool has issued. */
  learn(pool: string, { slot, firm }: TicketHome, names: readonly string[]): void {
    const { secrets } = this
    for (const name of names) {
      if (secrets?.namesOf(pool).read(Buffer.from(name, 'base64url')) === undefined) continue
      this.table.add({ pool, name, slot }, firm)
      this.options.onLearned({ pool, name, slot })
    }
  }

  /** What a new primary continues with. */
  get handedOver(): HandedOverSecrets | undefined {
    return this.secrets?.handedOver ?? this.options.handedOver
  }

  // ---- The table, in an upgrade ----

  entries(): Iterable<TicketOwner> {
    return this.table.entries()
  }

  receive(entry: unknown): void {
    const { pool, name, slot } = (entry ?? {}) as Partial<TicketOwner>
    if (typeof pool === 'string' && typeof name === 'string' && Number.isInteger(slot)) this.table.add({ pool, name, slot: slot as number })
  }

  private rotateIn(ms: number): void {
    setTimeout(() => {
      this.secrets?.rotate(Date.now())
      for (const worker of this.holders) {
        if (worker.state === 'gone') this.holders.delete(worker)
        else if (this.secrets !== undefined) worker.send({ switchyard: 'tls-tickets', start: this.secrets.startFor(worker.pool) })
      }
      this.rotateIn(this.options.rotationMs())
    }, ms).unref()
  }
}
