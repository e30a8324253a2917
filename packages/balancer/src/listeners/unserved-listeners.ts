// Closes listeners for which no worker has a server any more. It waits for a grace period, since a worker that has just started may open its
// second server late.

import type { Bound } from './listeners.ts'

export interface UnservedListenersOptions {
  readonly listeners: () => readonly Bound[]
  readonly isUnserved: (bound: Bound) => boolean
  readonly graceMs: () => number
  readonly close: (bound: Bound) => void
}

export class UnservedListeners {
  private readonly options: UnservedListenersOptions
  private readonly sinceMs = new Map<Bound, number>()
  private timer: NodeJS.Timeout | undefined

  constructor(options: UnservedListenersOptions) {
    this.options = options
  }

  /** Call it whenever a worker or a server has changed. */
  check(): void {
    const { listeners, isUnserved: isOrphan, graceMs, close } = this.options
    const now = performance.now()
    const all = [...listeners()]
    for (const bound of this.sinceMs.keys()) if (!all.includes(bound)) this.sinceMs.delete(bound)
    let nextMs = Number.POSITIVE_INFINITY
    for (const bound of all) {
      if (!isOrphan(bound)) {
        this.sinceMs.delete(bound)
        continue
      }
      const since = this.sinceMs.get(bound) ?? now
      this.sinceMs.set(bound, since)
      const leftMs = since + graceMs() - now
      if (leftMs > 0) nextMs = Math.min(nextMs, leftMs)
      else {
        this.sinceMs.delete(bound)
        close(bound)
      }
    }
    clearTimeout(this.timer)
    if (nextMs !== Number.POSITIVE_INFINITY) this.timer = setTimeout(() => this.check(), nextMs + 1).unref()
  }

  stop(): void {
    clearTimeout(this.timer)
  }
}
