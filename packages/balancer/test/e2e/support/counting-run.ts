// Many clients increment the counts of a few sessions at the same time. Each answer has the new count, so a lost or doubled increment is seen.

import { until } from '../../../../../test/support/until.ts'
import type { SessionBalancers } from './session-balancers.ts'
import type { SessionClient } from './session-client.ts'

export interface CountingTotals {
  /** Answered increments. */
  increments: number
  /** Answered increments that the final counts lack. */
  lost: number
  /** Counts that more than one client received. */
  sharedCounts: number
  /** Workers that have answered. */
  workers: number
  seconds: number
  readonly faults: string[]
}

const SESSIONS = 10
const MAX_FAULTS = 20
/** A worker may use a session that it has read for this long. */
const KNOWN_MS = 10_000

/** Each client sends `increments` increments, to the sessions in turn, as fast as they are answered. */
export async function countAtOnce(balancers: SessionBalancers, increments: number): Promise<CountingTotals> {
  const totals: CountingTotals = { increments: 0, lost: 0, sharedCounts: 0, workers: 0, seconds: 0, faults: [] }
  const [first] = balancers.clients as [SessionClient]
  const sessions: { readonly cookie: string; readonly counts: number[] }[] = []
  for (let index = 0; index < SESSIONS; index++) sessions.push({ cookie: await first.newSession(), counts: [] })
  const pids = new Set<number>()

  const run = async (client: SessionClient, number: number): Promise<void> => {
    for (let turn = 0; turn < increments && totals.faults.length < MAX_FAULTS; turn++) {
      const { cookie, counts } = sessions[(number + turn) % SESSIONS] as (typeof sessions)[number]
      try {
        const { pid, count = Number.NaN } = await client.ask('/count', cookie)
        pids.add(pid)
        counts.push(count)
      } catch (error) {
        totals.faults.push((error as Error).message)
      }
    }
  }
  const startMs = performance.now()
  await Promise.all(balancers.clients.map(run))
  totals.seconds = (performance.now() - startMs) / 1000

  const ofEach = await balancers.ofEachWorker()
  for (const { cookie, counts } of sessions) {
    const finals = async (): Promise<readonly (number | undefined)[]> =>
      (await Promise.all(ofEach.map((client) => client.ask('/read', cookie)))).map(({ count }) => count)
    const isOne = async (): Promise<boolean> => new Set(await finals()).size === 1
    await until(isOne, KNOWN_MS, 'the same count at every worker').catch((error) => totals.faults.push((error as Error).message))
    const [final = 0] = await finals()
    totals.increments += counts.length
    totals.lost += counts.length - final
    totals.sharedCounts += counts.length - new Set(counts).size
  }
  totals.workers = pids.size
  return totals
}
