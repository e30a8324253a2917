// Tells the primary how it is with the sessions of this worker: once a second, if its app uses any and something has changed.

import type { SessionsStatus } from '@switchyard/sessions'
import type { SessionReport } from '../protocol.ts'
import type { Runtime } from '../runtime.ts'

const INTERVAL_MS = 1000

/** `status` gives undefined as long as the app uses none. Keeps no process alive. */
export function startSessionReports(runtime: Pick<Runtime, 'send'>, status: () => SessionsStatus | undefined): void {
  let last = ''
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
    if (text === last) return
    last = text
    runtime.send({ switchyard: 'session-report', report })
  }, INTERVAL_MS).unref()
}
