// Reports the sessions of this worker to the primary, once a second, if the app uses sessions and a value has changed.

import type { SessionsStatus } from '@switchyard/sessions'
import type { SessionReport } from '../protocol.ts'
import type { Runtime } from '../runtime.ts'

const INTERVAL_MS = 1000

/** `status` returns undefined while the app uses no sessions. The timer does not keep the process alive. */
export function startSessionReports(runtime: Pick<Runtime, 'send'>, status: () => SessionsStatus | undefined): void {
  let lastReport = ''
  setInterval(() => {
    const now = status()
    if (now === undefined) return
    const { kind, state, commands, failed, sumMs, near } = now
    const report: SessionReport = {
      kind,
      state,
      commands,
      failed,
      sumMs,
      nearEntries: near.entries,
      nearHits: near.hits,
      nearMisses: near.misses,
    }
    const text = JSON.stringify(report)
    if (text === lastReport) return
    lastReport = text
    runtime.send({ switchyard: 'session-report', report })
  }, INTERVAL_MS).unref()
}
