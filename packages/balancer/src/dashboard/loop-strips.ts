// What the event loop of each worker has done in the last minute. The primary reads shared memory 20 times a second, only while a reader looks.

import type { LoopReading } from '../status.ts'
import { stuckMs } from '../troubles.ts'

export const READ_MS = 50
/** Readings in one column of a strip: a quarter of a second. */
const READINGS = 5
export const COLUMN_MS = READ_MS * READINGS
/** A minute. */
const MAX_COLUMNS = 240
const MAX_WORKERS = 256
/** A turn of this length or more blocks: every other request of the worker waits as long. */
export const BLOCKED_MS = 50
const MAX_BLOCKED_MS = 65_535

/** One quarter of a second: the share of time in which the loop was busy in percent, and the longest turn that was seen if it blocked, else 0. */
export type StripColumn = readonly [busyPercent: number, blockedMs: number]

interface Strip {
  columns: StripColumn[]
  /** Columns that the last `takeNew` has not given yet. */
  fresh: number
  busy: number
  blockedMs: number
  readings: number
  isSeen: boolean
}

export class LoopStrips {
  private readonly strips = new Map<string, Strip>()

  /** Takes one reading of every worker. Workers that are missing from it are gone. */
  read(loops: Iterable<LoopReading>): void {
    for (const strip of this.strips.values()) strip.isSeen = false
    for (const loop of loops) {
      const { pool, slot, pid, load } = loop
      const key = `${pool}/${slot} ${pid}`
      const strip = this.strips.get(key) ?? newStrip()
      if (!this.strips.has(key) && this.strips.size >= MAX_WORKERS) continue
      this.strips.set(key, strip)
      record(strip, Math.max(load.busyMs, stuckMs(loop)), load.utilisation)
    }
    for (const [key, { isSeen }] of this.strips) if (!isSeen) this.strips.delete(key)
  }

  /** All columns of each worker, by `pool/slot pid`; the newest is last. */
  all(): Record<string, StripColumn[]> {
    return Object.fromEntries([...this.strips].map(([key, { columns }]) => [key, columns]))
  }

  /** The columns since the last call. */
  takeNew(): Record<string, StripColumn[]> {
    const entries = [...this.strips].map(([key, strip]) => {
      const columns = strip.fresh === 0 ? [] : strip.columns.slice(-strip.fresh)
      strip.fresh = 0
      return [key, columns]
    })
    return Object.fromEntries(entries)
  }

  /** The readers are gone: what follows later does not belong to the same minute. */
  clear(): void {
    this.strips.clear()
  }
}

function newStrip(): Strip {
  return { columns: [], fresh: 0, busy: 0, blockedMs: 0, readings: 0, isSeen: true }
}

function record(strip: Strip, busyMs: number, utilisation: number): void {
  strip.isSeen = true
  const blockedMs = busyMs >= BLOCKED_MS ? Math.min(Math.round(busyMs), MAX_BLOCKED_MS) : 0
  // A blocked loop can't report its utilisation, so the word still has the share from before.
  strip.busy += blockedMs > 0 ? 1 : utilisation
  strip.blockedMs = Math.max(strip.blockedMs, blockedMs)
  strip.readings++
  if (strip.readings < READINGS) return
  strip.columns.push([Math.round((strip.busy / strip.readings) * 100), strip.blockedMs])
  if (strip.columns.length > MAX_COLUMNS) strip.columns.shift()
  strip.fresh = Math.min(strip.fresh + 1, strip.columns.length)
  strip.busy = strip.blockedMs = strip.readings = 0
}
