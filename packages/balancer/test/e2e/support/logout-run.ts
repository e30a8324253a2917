// Sessions are destroyed while other requests of the same session still run and save it later. A destroyed session must not come back.

import { seededRandom } from '../../../../../test/support/random.ts'
import { until } from '../../../../../test/support/until.ts'
import { thinkTime } from './raw-client.ts'
import type { SessionBalancers } from './session-balancers.ts'
import type { SessionClient } from './session-client.ts'

export interface LogoutTotals {
  rounds: number
  /** Late saves, and those that were kept because they came before the end of the session. */
  saves: number
  kept: number
  /** Destroyed sessions that exist at the end. */
  cameBack: number
  readonly faults: string[]
}

/** How the slow requests of a round save the session. */
const LATE = ['set', 'update', 'touch'] as const
/** The logout and each save happen at most this long after the last read. */
const SPREAD_MS = 8
const AT_ONCE = 8
const MAX_FAULTS = 20
/** A worker may use a session that it has read for this long. */
const KNOWN_MS = 10_000

/** Creates `rounds` sessions. One client destroys each while others, at other workers, are about to save it. */
export async function endWhileOthersSave(balancers: SessionBalancers, rounds: number, seed: number): Promise<LogoutTotals> {
  const random = seededRandom(seed)
  const perRound = LATE.length + 1
  const storedBefore = await balancers.stored()
  const totals: LogoutTotals = { rounds: 0, saves: 0, kept: 0, cameBack: 0, faults: [] }
  const cookies: string[] = []
  let begun = 0

  const playRound = async (visitor: SessionClient, others: readonly SessionClient[]): Promise<void> => {
    const cookie = await visitor.newSession()
    cookies.push(cookie)
    const late = await Promise.all(
      others.map((other, index) => other.begin(`/late?how=${LATE[index]}&ms=${Math.floor(random() * SPREAD_MS)}`, cookie)),
    )
    await thinkTime(Math.floor(random() * SPREAD_MS))
    await visitor.ask('/end', cookie)
    const saves = await Promise.all(late.map(({ answer }) => answer))
    totals.rounds++
    totals.saves += saves.length
    totals.kept += saves.filter(({ isKept }) => isKept === true).length
  }
  const play = async (first: number): Promise<void> => {
    const [visitor, ...others] = balancers.clients.slice(first, first + perRound) as [SessionClient, ...SessionClient[]]
    while (begun < rounds && totals.faults.length < MAX_FAULTS) {
      begun++
      try {
        await playRound(visitor, others)
      } catch (error) {
        totals.faults.push((error as Error).message)
      }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, (_, index) => play(index * perRound)))

  const ofEach = await balancers.ofEachWorker()
  totals.cameBack = (await balancers.stored()) - storedBefore
  await Promise.all(
    ofEach.map(async (client) => {
      for (const cookie of cookies) {
        const isGone = async (): Promise<boolean> => (await client.ask('/read', cookie)).count === undefined
        // A session that has come back is counted already and would stay for ever.
        if (!(await isGone()) && totals.cameBack === 0) await until(isGone, KNOWN_MS, 'a worker that knows of the logout')
      }
    }),
  ).catch((error) => totals.faults.push((error as Error).message))
  return totals
}
