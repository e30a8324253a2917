// The session store of a process outside a pool: sessions are in its memory and are lost when it exits.

import type { Found, SessionStore, SessionStoreStatus, Written } from './session-store.ts'
import { SessionTable, type SessionTableLimits, startSweeping } from './session-table.ts'

export class LocalStore implements SessionStore {
  private readonly table: SessionTable
  private readonly now: () => number
  private readonly sweeping: NodeJS.Timeout
  private listener: (id: string | undefined) => void = () => {}
  private commands = 0

  constructor(limits: SessionTableLimits, now: () => number = () => performance.now()) {
    this.table = new SessionTable(limits, (id) => this.listener(id))
    this.now = now
    this.sweeping = startSweeping(this.table, now)
  }

  async read(id: string, known?: number): Promise<Found> {
    this.commands++
    return this.table.read(id, known, this.now())
  }

  async write(id: string, text: string, ttlMs: number, expected?: number): Promise<Written> {
    this.commands++
    return this.table.write(id, text, ttlMs, expected, this.now())
  }

  async touch(id: string, ttlMs: number): Promise<boolean> {
    this.commands++
    return this.table.touch(id, ttlMs, this.now())
  }

  async destroy(id: string, expected?: number): Promise<boolean | 'conflict'> {
    this.commands++
    return this.table.destroy(id, expected, this.now())
  }

  async ids(limit: number): Promise<readonly string[]> {
    this.commands++
    return this.table.ids(limit, 0, this.now())
  }

  async clear(): Promise<void> {
    this.commands++
    this.table.clear()
  }

  /** There are no other writers, but evictions are changes too. */
  onChanged(listener: (id: string | undefined) => void): boolean {
    this.listener = listener
    return true
  }

  status(): SessionStoreStatus {
    return { kind: 'embedded', state: 'up', commands: this.commands, failed: 0, sumMs: 0 }
  }

  async close(): Promise<void> {
    clearInterval(this.sweeping)
  }
}
