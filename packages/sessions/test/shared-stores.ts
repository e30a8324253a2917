// Stores of several workers on one table in this process, with faults that a test can switch on.

import { type Found, type SessionStore, SessionStoreError, type SessionStoreStatus, type Written } from '../src/session-store.ts'
import { SessionTable } from '../src/session-table.ts'

type Listener = (id: string | undefined) => void

export class SharedStores {
  readonly table = new SessionTable({ maxSessions: 10_000, maxBytes: 2 ** 28, tombstoneMs: 60_000 })
  /** Commands, writes, and the states that reads have found. */
  commands = 0
  writes = 0
  readonly found: string[] = []
  /** Without reports of changes. */
  hasNoReports = false
  /** Reports of changes are lost. */
  losesReports = false
  /** Every command fails. */
  isDown = false
  beforeWrite: (id: string) => void = () => {}
  beforeDestroy: (id: string) => void = () => {}
  private readonly listeners = new Set<Listener>()
  private readonly delay: () => number

  /** `delay`: turns of the event loop that a command takes. */
  constructor({ delay }: { delay: () => number }) {
    this.delay = delay
  }

  open(): SessionStore {
    let own: Listener = () => {}
    const report = (id: string | undefined) => {
      if (!this.losesReports) for (const listener of this.listeners) if (listener !== own) listener(id)
    }
    const now = () => performance.now()
    return {
      read: (id, known) =>
        this.run((): Found => {
          const found = this.table.read(id, known, now())
          this.found.push(found.state)
          return found
        }),
      write: (id, text, ttlMs, expected) =>
        this.run((): Written => {
          this.writes++
          this.beforeWrite(id)
          const written = this.table.write(id, text, ttlMs, expected, now())
          if (written.state === 'written') report(id)
          return written
        }),
      touch: (id, ttlMs) => this.run(() => this.table.touch(id, ttlMs, now())),
      destroy: (id, expected) =>
        this.run(() => {
          this.beforeDestroy(id)
          const destroyed = this.table.destroy(id, expected, now())
          if (destroyed !== 'conflict') report(id)
          return destroyed
        }),
      ids: (limit) => this.run(() => this.table.ids(limit, 0, now())),
      clear: () =>
        this.run(() => {
          this.table.clear()
          report(undefined)
        }),
      onChanged: (listener) => {
        if (this.hasNoReports) return false
        own = listener
        this.listeners.add(listener)
        return true
      },
      status: (): SessionStoreStatus => ({ kind: 'embedded', state: 'up', commands: this.commands, failed: 0, sumMs: 0 }),
      close: async () => {},
    }
  }

  /** Reports that any session may have changed. */
  reportAny(): void {
    for (const listener of this.listeners) listener(undefined)
  }

  private async run<Result>(body: () => Result): Promise<Result> {
    this.commands++
    for (let turns = this.delay(); turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve))
    if (this.isDown) throw new SessionStoreError('down')
    const result = body()
    await new Promise((resolve) => setImmediate(resolve))
    return result
  }
}
