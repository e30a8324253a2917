// Sessions in the memory of one process: versions, times to live, tombstones, and what goes when there is no room. The clock comes in with each call, so
// all of it can be repeated; it must not go backwards.

import type { Found, Written } from './session-store.ts'

export interface SessionTableLimits {
  readonly maxSessions: number
  /** Of all texts together, in UTF-8. */
  readonly maxBytes: number
  readonly tombstoneMs: number
}

/** One row, for another table: a session, the tombstone of one, or that there is nothing under an id. Times are from now. */
export type SessionTableEntry =
  | { readonly id: string; readonly version: number; readonly text: string; readonly ttlMs: number }
  | { readonly id: string; readonly endedForMs: number }
  | { readonly id: string; readonly isAbsent: true }
  /** How far versions have come: they go on behind it. */
  | { readonly lastVersion: number }

/** A sweep looks at so many rows. */
const SWEPT_ROWS = 10_000
const SWEEP_MS = 1000

interface Kept {
  readonly version: number
  readonly text: string
  readonly bytes: number
  expiresMs: number
}

export class SessionTable {
  /** Sessions that went because there was no room, those whose time was over, and tombstones that went too early. */
  evicted = 0
  expired = 0
  tombstonesDropped = 0
  /** Of all texts. */
  bytes = 0
  private limits: SessionTableLimits
  private readonly onEvicted: (id: string) => void
  /** Least recently used first. */
  private readonly kept = new Map<string, Kept>()
  /** When each is over; that is also their order. */
  private readonly tombstones = new Map<string, number>()
  /** Of the whole table: a version that was there once never comes again, under no id. */
  private lastVersion = 0
  private sweeping: Iterator<[string, Kept]> | undefined

  /** `onEvicted` hears of each that goes for want of room. */
  constructor(limits: SessionTableLimits, onEvicted: (id: string) => void = () => {}) {
    this.limits = limits
    this.onEvicted = onEvicted
  }

  /** How many there are, those included whose time is over and that nobody has looked at since. */
  get size(): number {
    return this.kept.size
  }

  get tombstoneCount(): number {
    return this.tombstones.size
  }

  read(id: string, known: number | undefined, nowMs: number): Found {
    const kept = this.find(id, nowMs)
    if (kept === undefined) return { state: this.isEnded(id, nowMs) ? 'ended' : 'absent' }
    this.kept.delete(id)
    this.kept.set(id, kept)
    const ttlMs = kept.expiresMs - nowMs
    return kept.version === known ? { state: 'same', ttlMs } : { state: 'kept', version: kept.version, text: kept.text, ttlMs }
  }

  write(id: string, text: string, ttlMs: number, expected: number | undefined, nowMs: number): Written {
    if (this.isEnded(id, nowMs)) return { state: 'ended' }
    const before = this.find(id, nowMs)
    if (expected !== undefined && expected !== (before?.version ?? 0)) return { state: 'conflict', found: this.read(id, undefined, nowMs) }
    this.lastVersion++
    this.put(id, this.lastVersion, text, nowMs + ttlMs)
    this.makeRoom()
    return { state: 'written', version: this.lastVersion }
  }

  touch(id: string, ttlMs: number, nowMs: number): boolean {
    const kept = this.find(id, nowMs)
    if (kept === undefined) return false
    kept.expiresMs = nowMs + ttlMs
    this.kept.delete(id)
    this.kept.set(id, kept)
    return true
  }

  destroy(id: string, expected: number | undefined, nowMs: number): boolean | 'conflict' {
    const kept = this.find(id, nowMs)
    if (expected !== undefined && kept !== undefined && kept.version !== expected) return 'conflict'
    this.remove(id)
    this.bury(id, nowMs + this.limits.tombstoneMs, nowMs)
    return kept !== undefined
  }

  /** Ids that are kept, at most `limit`, without the first `skip`. */
  ids(limit: number, skip: number, nowMs: number): string[] {
    const found: string[] = []
    let left = skip
    for (const [id, { expiresMs }] of this.kept) {
      if (found.length >= limit) break
      if (expiresMs > nowMs && left-- <= 0) found.push(id)
    }
    return found
  }

  clear(): void {
    this.kept.clear()
    this.tombstones.clear()
    this.bytes = 0
  }

  /** Other limits from now on; what is too much for them goes. */
  configure(limits: SessionTableLimits): void {
    this.limits = limits
    this.makeRoom()
    this.dropTombstones()
  }

  /** Removes what is over among the next `count` rows; begins again where it has seen all. */
  sweep(count: number, nowMs: number): void {
    for (const [id, untilMs] of this.tombstones) {
      if (untilMs > nowMs) break
      this.tombstones.delete(id)
    }
    for (let left = Math.min(count, this.kept.size); left > 0; left--) {
      this.sweeping ??= this.kept.entries()
      const next = this.sweeping.next()
      if (next.done === true) this.sweeping = undefined
      else this.find(next.value[0], nowMs)
    }
  }

  /** Every id that there is something under, at this moment; sessions least recently used first, before the tombstones. */
  allIds(): string[] {
    return [...new Set([...this.kept.keys(), ...this.tombstones.keys()])]
  }

  /** Everything, for another table. What changes meanwhile is told as it is then, or not at all. */
  *entries(nowMs: number): Generator<SessionTableEntry> {
    for (const id of this.allIds()) {
      const row = this.row(id, nowMs)
      if (!('isAbsent' in row)) yield row
    }
  }

  /** How far versions have come, for another table. */
  get versions(): SessionTableEntry {
    return { lastVersion: this.lastVersion }
  }

  /** What is under an id, for another table. */
  row(id: string, nowMs: number): SessionTableEntry {
    const kept = this.kept.get(id)
    if (kept !== undefined && kept.expiresMs > nowMs) return { id, version: kept.version, text: kept.text, ttlMs: kept.expiresMs - nowMs }
    const untilMs = this.tombstones.get(id)
    return untilMs !== undefined && untilMs > nowMs ? { id, endedForMs: untilMs - nowMs } : { id, isAbsent: true }
  }

  /** A row of another table. What is newer here stays, and what is ended, here or there, is ended. */
  restore(entry: SessionTableEntry, nowMs: number): void {
    if ('lastVersion' in entry) {
      this.lastVersion = Math.max(this.lastVersion, entry.lastVersion)
      return
    }
    const { id } = entry
    if ('isAbsent' in entry) return this.remove(id)
    if ('endedForMs' in entry) {
      this.remove(id)
      this.bury(id, nowMs + entry.endedForMs, nowMs)
      return
    }
    this.lastVersion = Math.max(this.lastVersion, entry.version)
    const known = this.find(id, nowMs)
    if (this.isEnded(id, nowMs) || (known?.version ?? 0) > entry.version) return
    this.put(id, entry.version, entry.text, nowMs + entry.ttlMs)
    this.makeRoom()
  }

  /** What is kept there; its time may be over, then it goes. */
  private find(id: string, nowMs: number): Kept | undefined {
    const kept = this.kept.get(id)
    if (kept === undefined || kept.expiresMs > nowMs) return kept
    this.remove(id)
    this.expired++
    return undefined
  }

  private isEnded(id: string, nowMs: number): boolean {
    const untilMs = this.tombstones.get(id)
    return untilMs !== undefined && untilMs > nowMs
  }

  private put(id: string, version: number, text: string, expiresMs: number): void {
    const bytes = Buffer.byteLength(text)
    this.remove(id)
    this.kept.set(id, { version, text, bytes, expiresMs })
    this.bytes += bytes
  }

  private remove(id: string): void {
    const kept = this.kept.get(id)
    if (kept === undefined) return
    this.bytes -= kept.bytes
    this.kept.delete(id)
  }

  private bury(id: string, untilMs: number, nowMs: number): void {
    if (untilMs <= Math.max(nowMs, this.tombstones.get(id) ?? 0)) return
    this.tombstones.delete(id)
    this.tombstones.set(id, untilMs)
    this.dropTombstones()
  }

  /** What was written last stays, whatever its size. */
  private makeRoom(): void {
    const { maxBytes, maxSessions } = this.limits
    for (const id of this.kept.keys()) {
      if (this.kept.size <= maxSessions && (this.bytes <= maxBytes || this.kept.size === 1)) return
      this.remove(id)
      this.evicted++
      this.onEvicted(id)
    }
  }

  private dropTombstones(): void {
    for (const id of this.tombstones.keys()) {
      if (this.tombstones.size <= this.limits.maxSessions) return
      this.tombstones.delete(id)
      this.tombstonesDropped++
    }
  }
}

/** Sweeps the table regularly until `clearInterval`. Does not keep the process alive. */
export function startSweeping(table: SessionTable, now: () => number): NodeJS.Timeout {
  return setInterval(() => table.sweep(SWEPT_ROWS, now()), SWEEP_MS).unref()
}
