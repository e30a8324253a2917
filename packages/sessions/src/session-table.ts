// Sessions in the memory of one process: versions, expiry, tombstones and eviction. The time is passed to each call, so that tests can
// repeat every run. It must not go backwards.

import type { Found, Written } from './session-store.ts'

export interface SessionTableLimits {
  readonly maxSessions: number
  /** Total size of all texts, in UTF-8. */
  readonly maxBytes: number
  readonly tombstoneMs: number
}

/** A row that is copied to another table: a session, a tombstone, or the absence of both. Times are relative to now. */
export type SessionTableEntry =
  | { readonly id: string; readonly version: number; readonly text: string; readonly ttlMs: number }
  | { readonly id: string; readonly endedForMs: number }
  | { readonly id: string; readonly isAbsent: true }
  /** The last version that was assigned. The other table continues after it. */
  | { readonly lastVersion: number }

/** Rows that one sweep visits. */
const SWEPT_ROWS = 10_000
const SWEEP_MS = 1000

interface Kept {
  readonly version: number
  readonly text: string
  readonly bytes: number
  expiresMs: number
}

export class SessionTable {
  /** Sessions evicted for lack of room, sessions expired, and tombstones dropped before their time. */
  evicted = 0
  expired = 0
  tombstonesDropped = 0
  /** Total size of all texts. */
  bytes = 0
  private limits: SessionTableLimits
  private readonly onEvicted: (id: string) => void
  /** Least recently used first. */
  private readonly kept = new Map<string, Kept>()
  /** When each tombstone expires, earliest first. */
  private readonly tombstones = new Map<string, number>()
  /** Shared by all ids, so that no version is ever used twice. */
  private lastVersion = 0
  private sweeping: Iterator<[string, Kept]> | undefined

  /** `onEvicted` is called for each session that is evicted. */
  constructor(limits: SessionTableLimits, onEvicted: (id: string) => void = () => {}) {
    this.limits = limits
    this.onEvicted = onEvicted
  }

  /** Includes expired sessions that have not been swept yet. */
  get size(): number {
    return this.kept.size
  }

  get tombstoneCount(): number {
    return this.tombstones.size
  }

  read(id: string, known: number | undefined, nowMs: number): Found {
    const kept = this.findLive(id, nowMs)
    if (kept === undefined) return { state: this.isEnded(id, nowMs) ? 'ended' : 'absent' }
    this.kept.delete(id)
    this.kept.set(id, kept)
    const ttlMs = kept.expiresMs - nowMs
    return kept.version === known ? { state: 'same', ttlMs } : { state: 'kept', version: kept.version, text: kept.text, ttlMs }
  }

  write(id: string, text: string, ttlMs: number, expected: number | undefined, nowMs: number): Written {
    if (this.isEnded(id, nowMs)) return { state: 'ended' }
    const before = this.findLive(id, nowMs)
    if (expected !== undefined && expected !== (before?.version ?? 0)) return { state: 'conflict', found: this.read(id, undefined, nowMs) }
    this.lastVersion++
    this.put(id, this.lastVersion, text, nowMs + ttlMs)
    this.evict()
    return { state: 'written', version: this.lastVersion }
  }

  touch(id: string, ttlMs: number, nowMs: number): boolean {
    const kept = this.findLive(id, nowMs)
    if (kept === undefined) return false
    kept.expiresMs = nowMs + ttlMs
    this.kept.delete(id)
    this.kept.set(id, kept)
    return true
  }

  destroy(id: string, expected: number | undefined, nowMs: number): boolean | 'conflict' {
    const kept = this.findLive(id, nowMs)
    if (expected !== undefined && kept !== undefined && kept.version !== expected) return 'conflict'
    this.remove(id)
    this.addTombstone(id, nowMs + this.limits.tombstoneMs, nowMs)
    return kept !== undefined
  }

  /** At most `limit` ids, after the first `skip`. */
  ids(limit: number, skip: number, nowMs: number): string[] {
    const found: string[] = []
    let toSkip = skip
    for (const [id, { expiresMs }] of this.kept) {
      if (found.length >= limit) break
      if (expiresMs > nowMs && toSkip-- <= 0) found.push(id)
    }
    return found
  }

  clear(): void {
    this.kept.clear()
    this.tombstones.clear()
    this.bytes = 0
  }

  /** Applies new limits and evicts what exceeds them. */
  configure(limits: SessionTableLimits): void {
    this.limits = limits
    this.evict()
    this.dropTombstones()
  }

  /** Removes the expired rows among the next `count`; starts over at the end. */
  sweep(count: number, nowMs: number): void {
    for (const [id, untilMs] of this.tombstones) {
      if (untilMs > nowMs) break
      this.tombstones.delete(id)
    }
    for (let remaining = Math.min(count, this.kept.size); remaining > 0; remaining--) {
      this.sweeping ??= this.kept.entries()
      const next = this.sweeping.next()
      if (next.done === true) this.sweeping = undefined
      else this.findLive(next.value[0], nowMs)
    }
  }

  /** The ids of all sessions, least recently used first, then of all tombstones. */
  allIds(): string[] {
    return [...new Set([...this.kept.keys(), ...this.tombstones.keys()])]
  }

  /** All rows, for another table. A row that changes during the iteration appears in its new state, or not at all. */
  *entries(nowMs: number): Generator<SessionTableEntry> {
    for (const id of this.allIds()) {
      const row = this.row(id, nowMs)
      if (!('isAbsent' in row)) yield row
    }
  }

  /** The last version, for another table. */
  get versions(): SessionTableEntry {
    return { lastVersion: this.lastVersion }
  }

  /** The row of an id, for another table. */
  row(id: string, nowMs: number): SessionTableEntry {
    const kept = this.kept.get(id)
    if (kept !== undefined && kept.expiresMs > nowMs) return { id, version: kept.version, text: kept.text, ttlMs: kept.expiresMs - nowMs }
    const untilMs = this.tombstones.get(id)
    return untilMs !== undefined && untilMs > nowMs ? { id, endedForMs: untilMs - nowMs } : { id, isAbsent: true }
  }

  /** Adds a row of another table. A newer version in this table wins, and a tombstone in either table wins over a session. */
  restore(entry: SessionTableEntry, nowMs: number): void {
    if ('lastVersion' in entry) {
      this.lastVersion = Math.max(this.lastVersion, entry.lastVersion)
      return
    }
    const { id } = entry
    if ('isAbsent' in entry) return this.remove(id)
    if ('endedForMs' in entry) {
      this.remove(id)
      this.addTombstone(id, nowMs + entry.endedForMs, nowMs)
      return
    }
    this.lastVersion = Math.max(this.lastVersion, entry.version)
    const known = this.findLive(id, nowMs)
    if (this.isEnded(id, nowMs) || (known?.version ?? 0) > entry.version) return
    this.put(id, entry.version, entry.text, nowMs + entry.ttlMs)
    this.evict()
  }

  /** Removes the session if it has expired. */
  private findLive(id: string, nowMs: number): Kept | undefined {
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

  private addTombstone(id: string, untilMs: number, nowMs: number): void {
    if (untilMs <= Math.max(nowMs, this.tombstones.get(id) ?? 0)) return
    this.tombstones.delete(id)
    this.tombstones.set(id, untilMs)
    this.dropTombstones()
  }

  /** The session written last stays, whatever its size. */
  private evict(): void {
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
