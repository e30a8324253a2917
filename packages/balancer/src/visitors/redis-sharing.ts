// Shares the visitor table with other balancers through Redis, in both directions. No request waits for Redis: while it is unreachable, each
// balancer uses its own table.

import { setImmediate } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { openSharedTable, type SessionSettings, type SharedEntry, type SharedTable } from '@switchyard/worker-runtime'
import type { BalancerEmitter } from '../events.ts'
import { tableKey, type VisitorEntry, type VisitorTable, visitorOf } from './visitor-table.ts'

/** Part of the keys in Redis. */
const NAME = 'visitors'
/** Entries added in one turn of the loop. */
const BATCH = 1000

export interface RedisSharingOptions {
  readonly visitors: VisitorTable
  readonly events: BalancerEmitter
  /** Left out: the real one. */
  readonly openTable?: typeof openSharedTable
}

export interface RedisSharingSettings {
  readonly sessions: SessionSettings
  /** Does any route's policy use the visitor table? */
  readonly isWanted: boolean
  readonly maxEntries: number
}

export class RedisSharing {
  private readonly options: RedisSharingOptions
  private wanted: object | undefined
  private table: SharedTable | undefined

  constructor(options: RedisSharingOptions) {
    this.options = options
    options.visitors.subscribe((entry, ttlMs) => this.publish(entry, ttlMs))
  }

  /** Starts, continues or ends sharing, as the settings say. */
  configure({ sessions: { url, tls, commandTimeoutMs, keyPrefix }, isWanted, maxEntries }: RedisSharingSettings): void {
    const wanted = url !== undefined && isWanted ? { url, tls, commandTimeoutMs, keyPrefix, maxEntries } : undefined
    if (isDeepStrictEqual(wanted, this.wanted)) return
    this.close()
    this.wanted = wanted
    if (wanted === undefined) return
    const { events, visitors, openTable = openSharedTable } = this.options
    const table = openTable(wanted, NAME, { maxEntries, onFault: (error) => events.emit('sharingFailed', { error }) })
    this.table = table
    table.onChange((shared) => {
      const entry = entryOf(shared)
      if (this.table === table && entry !== undefined) visitors.receive(entry)
    })
    void this.load(table, maxEntries)
  }

  close(): void {
    this.wanted = undefined
    this.table?.close().catch(() => {})
    this.table = undefined
  }

  /** Sends an entry to the other balancers. */
  private publish({ pool, key, slot }: VisitorEntry, ttlMs: number): void {
    this.table?.publish(tableKey(pool, key), String(slot), ttlMs)
  }

  /** Loads the entries of Redis. Entries that this balancer has learned meanwhile are newer and stay. */
  private async load(table: SharedTable, limit: number): Promise<void> {
    const entries = await table.load(limit)
    // Added oldest first: the entry that expires last was used last.
    for (let at = entries.length - 1; at >= 0 && this.table === table; at--) {
      const entry = entryOf(entries[at] as SharedEntry)
      if (entry !== undefined) this.options.visitors.receiveOlder(entry)
      if (at % BATCH === 0) await setImmediate()
    }
  }
}

/** undefined: not a valid entry. Other versions and other programs may write to the same keys. */
function entryOf({ key, value }: SharedEntry): VisitorEntry | undefined {
  const visitor = visitorOf(key)
  return visitor.pool === '' || !/^\d+$/.test(value) ? undefined : { ...visitor, slot: Number(value) }
}
