// Reports what this proxy worker makes of its upstream servers to the primary: once a second while something changes, and at once when the list of servers
// has changed.

import type { Runtime } from '../../runtime.ts'
import type { UpstreamReport } from '../../upstream-messages.ts'
import type { UpstreamServers } from '../servers/upstream-servers.ts'
import type { FailureCounts } from './failure-counts.ts'

const INTERVAL_MS = 1000
/** While a server drains, the primary waits for its end. While the worker drains, what it has not reported is lost with it. */
const DRAINING_INTERVAL_MS = 50

export interface UpstreamReportsOptions {
  readonly runtime: Pick<Runtime, 'send'>
  readonly servers: UpstreamServers
  readonly failures: FailureCounts
}

/** Begins to report. The timer keeps no process alive. Returns what reports now. */
export function startUpstreamReports({ runtime, servers, failures }: UpstreamReportsOptions): () => void {
  let last = ''
  let timer: NodeJS.Timeout
  const report = (): void => {
    clearTimeout(timer)
    const now: UpstreamReport = { ...servers.report, failures: failures.all }
    const text = JSON.stringify(now)
    if (text !== last) runtime.send({ switchyard: 'upstream', report: now })
    last = text
    const drains = servers.isClosed || now.servers.some(({ state, inFlight }) => state === 'draining' && inFlight > 0)
    timer = setTimeout(report, drains ? DRAINING_INTERVAL_MS : INTERVAL_MS)
    timer.unref()
  }
  report()
  return report
}
