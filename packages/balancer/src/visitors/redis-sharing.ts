// What this balancer has learned of visitors is told to those that share its Redis, and what they have learned comes in. Nobody waits for it: while Redis is away each of
// them goes by what it knows.

import { setImmediate } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { openSharedTable, type SessionSettings, type SharedEntry, type SharedTable } from '@switchyard/worker-runtime'
import type { BalancerEmitter } from '../events.ts'
import { tableKey, type VisitorEntry, type VisitorTable, visitorOf } from './visitor-table.ts'

/** What stands in its keys. */
const NAME = 'visitors'
/** Taken in at a time. */
const PORTION = 1000

export interface RedisSharingOptions {
  readonly visitors: VisitorTable
  readonly events: BalancerEmitter
  /** Left out: the real one. */
  readonly openTable?: typeof openSharedTable
}

/** Where to share, and what. */
export interface RedisSharingSettings {
  readonly sessions: SessionSettings
  /** Does any route go by what is learned? */
  readonly isWanted: boolean
  readonly maxEntries: number
}

export class RedisSharing {
  private readonly options: RedisSharingOptions
  private wishes: object | undefined
  private table: SharedTable | undefined

  constructor(options: RedisSharingOptions) {
    this.options = options
  }

  /** Begins, goes on or ends, as the settings want it now. */
  configure({ sessions: { url, tls, commandTimeoutMs, keyPrefix }, isWanted, maxEntries }: RedisSharingSettings): void {
    const wishes = url !== undefined && isWanted ? { url, tls, commandTimeoutMs, keyPrefix, maxEntries } : undefined
    if (isDeepStrictEqual(wishes, this.wishes)) return
    this.close()
    this.wishes = wishes
    if (wishes === undefined) return
    const { events, visitors: learned, openTable = openSharedTable } = this.options
    const table = openTable(wishes, NAME, { maxEntries, onFault: (error) => events.emit('sharingFailed', { error }) })
    this.table = table
    table.onChange((shared) => {
      const entry = entryOf(shared)
      if (this.table === table && entry !== undefined) learned.receive(entry)
    })
    void this.load(table, maxEntries)
  }

  /** Tells the others, if there are any. */
  publish({ pool, key, slot }: VisitorEntry, ttlMs: number): void {
    this.table?.publish(tableKey(pool, key), String(slot), ttlMs)
  }

  close(): void {
    this.wishes = undefined
    this.table?.close().catch(() => {})
    this.table = undefined
  }

  /** What was known before this balancer began. What it has learned since is newer. */
  private async load(table: SharedTable, limit: number): Promise<void> {
    const entries = await table.load(limit)
    // Those that last longest were used last.
    for (let at = entries.length - 1; at >= 0 && this.table === table; at--) {
      const entry = entryOf(entries[at] as SharedEntry)
      if (entry !== undefined) this.options.visitors.receiveOlder(entry)
      if (at % PORTION === 0) await setImmediate()
    }
  }
}

/** Others may be of another version, or no balancers at all. */
function entryOf({ key, value }: SharedEntry): VisitorEntry | undefined {
  const visitor = visitorOf(key)
  return visitor.pool === '' || !/^\d+$/.test(value) ? undefined : { ...visitor, slot: Number(value) }
}
