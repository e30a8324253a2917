// Reports connections that are refused because of their PROXY protocol header. A proxy that is set wrongly sends many of them, so each kind of fault
// is reported once a minute.

import type { ProxyHeaderFault } from '@switchyard/handoff'

const PAUSE_MS = 60_000

/** `more`: refused connections of the same kind since the last report. */
export type ProxyHeaderReport = (fault: { reason: ProxyHeaderFault; address: string | undefined; more: number }) => void

export class ProxyHeaderFaults {
  private readonly report: ProxyHeaderReport
  private readonly kinds = new Map<ProxyHeaderFault, { sinceMs: number; more: number }>()

  constructor(report: ProxyHeaderReport) {
    this.report = report
  }

  record(reason: ProxyHeaderFault, address: string | undefined, nowMs: number): void {
    const last = this.kinds.get(reason)
    if (last !== undefined && nowMs - last.sinceMs < PAUSE_MS) {
      last.more++
      return
    }
    this.kinds.set(reason, { sinceMs: nowMs, more: 0 })
    this.report({ reason, address, more: last?.more ?? 0 })
  }
}
