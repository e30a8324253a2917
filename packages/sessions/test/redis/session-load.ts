// Load of several clients that increment counters in sessions by compare-and-set. Finds increments that are lost or counted twice.

import { setTimeout as sleep } from 'node:timers/promises'
import { assert } from '../../../../test/suite.ts'
import { type Found, type SessionStore, SessionStoreError } from '../../src/session-store.ts'

const TTL_MS = 600_000
/** Pause of a client after a failed command. */
const PAUSE_MS = 5
/** Margin over the command timeout, for a slow machine. */
const LATER_MS = 100

export interface LoadParts {
  /** The ids that the clients increment in turn. */
  readonly stores: readonly SessionStore[]
  readonly ids: readonly string[]
  readonly clients: number
  readonly commandTimeoutMs: number
}

export class SessionLoad {
  /** Acknowledged increments; failed ones, each of which may have happened; commands that took too long. */
  readonly counts = { acknowledged: 0, failed: 0, late: 0 }
  private readonly parts: LoadParts
  private readonly perId = new Map<string, { acknowledged: number; failed: number }>()
  private readonly clients: Promise<void>[]
  private isOver = false

  constructor(parts: LoadParts) {
    this.parts = parts
    for (const id of parts.ids) this.perId.set(id, { acknowledged: 0, failed: 0 })
    this.clients = Array.from({ length: parts.clients }, (_, client) => this.run(client))
  }

  /** Waits for the pending command of each client. Rejects with an error that is no `SessionStoreError`. */
  async stop(): Promise<void> {
    this.isOver = true
    await Promise.all(this.clients)
  }

  /** Asserts that each counter has all acknowledged increments, and no more than the attempted ones. */
  async check(): Promise<void> {
    const [store] = this.parts.stores
    for (const [id, { acknowledged, failed }] of this.perId) {
      const count = countOf(await store?.read(id))
      assert.ok(count >= acknowledged && count <= acknowledged + failed, `${id}: ${count}, of ${acknowledged} and perhaps ${failed}`)
    }
    assert.is(this.counts.late, 0)
  }

  private async run(client: number): Promise<void> {
    const { stores, ids } = this.parts
    for (let turn = client; !this.isOver; turn++) {
      const [store, id] = [stores[turn % stores.length], ids[turn % ids.length]]
      if (store === undefined || id === undefined) return
      const counts = this.perId.get(id)
      try {
        await this.countUp(store, id)
        this.counts.acknowledged += 1
        if (counts) counts.acknowledged += 1
      } catch (error) {
        if (!(error instanceof SessionStoreError)) throw error
        this.counts.failed += 1
        if (counts) counts.failed += 1
        await sleep(PAUSE_MS)
      }
    }
  }

  private async countUp(store: SessionStore, id: string): Promise<void> {
    let found = await this.inTime(store.read(id))
    for (;;) {
      const expected = found.state === 'kept' ? found.version : 0
      const written = await this.inTime(store.write(id, String(countOf(found) + 1), TTL_MS, expected))
      if (written.state === 'written') return
      if (written.state === 'ended') throw new Error(`${id} has ended`)
      found = written.found
    }
  }

  private async inTime<T>(command: Promise<T>): Promise<T> {
    let isOver = false
    const look = (): void => {
      if (!isOver) this.counts.late += 1
    }
    const timer = setTimeout(() => setImmediate(look), this.parts.commandTimeoutMs + LATER_MS)
    try {
      return await command
    } finally {
      isOver = true
      clearTimeout(timer)
    }
  }
}

function countOf(found: Found | undefined): number {
  return found?.state === 'kept' ? Number(found.text) : 0
}
