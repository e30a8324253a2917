// Visitors who log out while requests of theirs are still running, which save what they have read when all is over. Who has logged out must stay so.

import { seededRandom } from '../../../../../test/support/random.ts'
import { until } from '../../../../../test/support/until.ts'
import { thinkTime } from './raw-client.ts'
import type { SessionBalancers } from './session-balancers.ts'
import type { SessionClient } from './session-client.ts'

export interface LogoutTotals {
  rounds: number
  /** Late saves, and those of them that were kept since they came before the end. */
  saves: number
  kept: number
  /** Sessions that are there after all. */
  cameBack: number
  readonly faults: string[]
}

/** As each slow request of a round saves. */
const LATE = ['set', 'update', 'touch'] as const
/** The end, and each save, come so much later at most than the last request has read. */
const SPREAD_MS = 8
const AT_ONCE = 8
const MAX_FAULTS = 20
/** What a worker has read it may keep for a while. */
const KNOWN_MS = 10_000

/** `rounds` sessions, each ended by one client while others, at other workers, are about to save in it. */
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
    const said = await Promise.all(late.map(({ answer: said }) => said))
    totals.rounds++
    totals.saves += said.length
    totals.kept += said.filter(({ isKept }) => isKept === true).length
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
        // What has come back is counted already, and stays.
        if (!(await isGone()) && totals.cameBack === 0) await until(isGone, KNOWN_MS, 'a worker that knows of the end')
      }
    }),
  ).catch((error) => totals.faults.push((error as Error).message))
  return totals
}
