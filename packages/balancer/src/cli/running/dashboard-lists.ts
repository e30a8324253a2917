// What the dashboard lists beside its numbers: advice, and the last decisions and heads that could not be read, newest first.

import type { AdviceReport, GivenAdvice } from '../../advice.ts'
import type { ListLine, ViewLists } from '../../dashboard/view.ts'
import type { Decision } from '../../decisions/decision.ts'
import type { Insight } from '../../insight/insight.ts'
import { slotName } from '../../worker-name.ts'

const MAX_LINES = 12

/** Recording of decisions begins with the first call. */
export async function dashboardLists(insight: Insight, readAdvice: () => Promise<AdviceReport>): Promise<ViewLists> {
  const badHeads = await insight.badHeads()
  const { isOn, advice } = await readAdvice()
  return {
    decisions: insight.lastDecisions(MAX_LINES).reverse().map(decisionLine),
    badHeads: badHeads
      .slice(-MAX_LINES)
      .reverse()
      .map(({ time, reason, address, why }) => ({ time, subject: reason, text: `${why} (from ${address ?? 'a unix socket'})` })),
    advice: isOn ? advice.map(adviceLine) : null,
  }
}

function adviceLine({ sinceMs, subject, seen, advice, config }: GivenAdvice): ListLine {
  return { time: sinceMs, subject, text: `${seen} ${advice}`, ...(config !== null && { config }) }
}

function decisionLine({
  time,
  route,
  pool,
  proxy,
  policy,
  key,
  worker,
  refused,
  waitedMs,
  origin,
  candidates,
  omitted,
}: Decision): ListLine {
  const chosen = worker === null ? `no worker: ${refused ?? 'it waits'}` : slotName({ pool, slot: worker.slot, proxy })
  const by = key === null ? policy : `${policy} by ${key.kind} #${key.hash}`
  const waited = waitedMs > 0 ? `, after ${waitedMs} ms in the queue` : ''
  return { time, subject: route, text: `→ ${chosen}, of ${candidates.length + omitted}: ${by}${waited} (${origin})` }
}
