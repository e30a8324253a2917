// Finds workers whose process does not run: stopped, starved, or stuck outside of JavaScript. Their last report says that all is well.

import type { LoopReading } from '../status.ts'

/** The loop of a healthy worker turns at least once a second, for its own reports. */
export const SILENT_MS = 3_000

export class SilentLoops {
  private last = new Map<string, { turns: number; sinceMs: number }>()

  /** Takes in the loops of this moment; call it about once a second. */
  update(loops: readonly LoopReading[], nowMs: number): void {
    const before = this.last
    this.last = new Map(
      loops.map(({ pool, slot, pid, load: { turns } }) => {
        const key = `${pool}/${slot} ${pid}`
        const known = before.get(key)
        return [key, known?.turns === turns ? known : { turns, sinceMs: nowMs }]
      }),
    )
  }

  /** How long the loop has not turned; 0 below SILENT_MS. */
  silentMs({ pool, slot, pid }: Pick<LoopReading, 'pool' | 'slot' | 'pid'>, nowMs: number): number {
    const ms = nowMs - (this.last.get(`${pool}/${slot} ${pid}`)?.sinceMs ?? nowMs)
    return ms < SILENT_MS ? 0 : ms
  }
}
