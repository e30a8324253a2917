// The newest connections of HTTP/2 that workers have cut, for `balancer errors`: one record for each client, listener and reason, however often it came.

import type { CutConnections as Cut, CutReason } from '@switchyard/worker-runtime'
import { addressGroup } from './address-group.ts'

const MAX_RECORDS = 100

export interface CutRecord {
  /** An address, or a network of IPv6. */
  readonly address: string
  readonly listener: number
  readonly reason: CutReason
  /** In ms since 1970. */
  readonly firstMs: number
  lastMs: number
  count: number
}

export class CutConnections {
  /** The one that was last changed is last. */
  private readonly records = new Map<string, CutRecord>()

  record({ listener, address, reason, count }: Cut, nowMs: number): void {
    const group = addressGroup(address)
    const key = `${listener} ${reason} ${group}`
    const record = this.records.get(key) ?? { address: group, listener, reason, firstMs: nowMs, lastMs: nowMs, count: 0 }
    record.count += count
    record.lastMs = nowMs
    this.records.delete(key)
    this.records.set(key, record)
    if (this.records.size > MAX_RECORDS) for (const oldest of this.records.keys()) return void this.records.delete(oldest)
  }

  /** Oldest first. */
  get newest(): readonly CutRecord[] {
    return [...this.records.values()]
  }
}
