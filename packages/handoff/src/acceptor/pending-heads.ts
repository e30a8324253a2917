// The connections whose head is incomplete, with bounds on their number, in all and per client address, and on their time.

import type { RefusalReason } from './refusal.ts'

export interface PendingLimits {
  readonly headTimeoutMs: number
  readonly maxUnrouted: number
  readonly maxUnroutedPerAddress: number
}

interface Row {
  readonly listener: number
  readonly address: string
  readonly sinceMs: number
}

/** By descriptor, in order of arrival. */
export class PendingHeads {
  private readonly limits: PendingLimits
  private readonly rows = new Map<number, Row>()
  private readonly perAddress = new Map<string, number>()

  constructor(limits: PendingLimits) {
    this.limits = limits
  }

  get size(): number {
    return this.rows.size
  }

  has(fd: number): boolean {
    return this.rows.has(fd)
  }

  /** The number of the listener that accepted it; undefined: it is not here. */
  listenerOf(fd: number): number | undefined {
    return this.rows.get(fd)?.listener
  }

  keys(): Iterable<number> {
    return this.rows.keys()
  }

  /** Why one more connection may not wait; undefined: it may. An empty address is that of a unix socket, which has no bound per address. */
  refusal(address: string): RefusalReason | undefined {
    if (this.rows.size >= this.limits.maxUnrouted) return 'too-many-unrouted'
    const same = this.perAddress.get(address) ?? 0
    return address !== '' && same >= this.limits.maxUnroutedPerAddress ? 'too-many-unrouted-per-address' : undefined
  }

  add(fd: number, listener: number, address: string, nowMs: number): void {
    this.rows.set(fd, { listener, address, sinceMs: nowMs })
    this.count(address, 1)
  }

  /** Counts a connection under another address from now on. Returns why it may not wait under that one. */
  readdress(fd: number, address: string): RefusalReason | undefined {
    const row = this.rows.get(fd)
    if (row === undefined || row.address === address) return undefined
    const same = this.perAddress.get(address) ?? 0
    if (address !== '' && same >= this.limits.maxUnroutedPerAddress) return 'too-many-unrouted-per-address'
    this.count(row.address, -1)
    this.count(address, 1)
    // The row keeps its place in the order of arrival.
    this.rows.set(fd, { ...row, address })
    return undefined
  }

  /** False: it is not here. */
  delete(fd: number): boolean {
    const row = this.rows.get(fd)
    if (row === undefined) return false
    this.rows.delete(fd)
    this.count(row.address, -1)
    return true
  }

  /** The connections whose deadline has passed at `nowMs`. They stay until they are deleted. */
  expired(nowMs: number): number[] {
    const expired: number[] = []
    for (const [fd, { sinceMs }] of this.rows) {
      if (nowMs - sinceMs < this.limits.headTimeoutMs) break
      expired.push(fd)
    }
    return expired
  }

  clear(): void {
    this.rows.clear()
    this.perAddress.clear()
  }

  private count(address: string, more: number): void {
    const same = (this.perAddress.get(address) ?? 0) + more
    if (same === 0) this.perAddress.delete(address)
    else this.perAddress.set(address, same)
  }
}
