// Kills workers while hand-offs are on their way to them. A request that no worker has started must be answered by another worker, and no
// request may start twice.

import { seededRandom } from '../../../../../test/support/random.ts'
import { until } from '../../../../../test/support/until.ts'
import { exchange, get, thinkTime } from './raw-client.ts'
import { type RunningBalancer, startBalancer } from './running-balancer.ts'
import { StartedRequests } from './started-requests.ts'

const WORKERS = 4
const CLIENTS = 48
/** The blocked worker is killed before that. */
const BLOCK_MS = 3_600_000
const ON_THEIR_WAY_MS = 50

export interface KillTotals {
  kills: number
  requests: number
  /** Unanswered requests that had started in a killed worker. */
  lostWithWorker: number
  /** Connections that the primary has taken back from killed workers. */
  takenBack: number
  /** Kills in the microseconds between a claim and the app's first line. */
  hitBetween: number
  faults: string[]
}

/** Kills `kills` workers, one after the other, each under load. */
export async function killUnderLoad(kills: number, seed: number): Promise<KillTotals> {
  const random = seededRandom(seed)
  const begun = new StartedRequests()
  const balancer = await startBalancer({
    config: {
      app: 'begun-app.mjs',
      policy: 'round-robin',
      pools: { web: { workers: WORKERS, queue: { timeoutMs: 300_000 } } },
      restartDelayMs: 10,
      maxRestartDelayMs: 50,
      // Workers are killed all the time.
      maxRestarts: kills,
    },
    env: { BEGUN_FILE: begun.file },
  })
  await balancer.untilAllReady()
  const descriptors = balancer.descriptors
  const totals: KillTotals = { kills: 0, requests: 0, lostWithWorker: 0, takenBack: 0, hitBetween: 0, faults: [] }
  let id = 0

  for (let round = 0; round < kills; round++) {
    // Three of four kills hit a worker in the middle of a request, the fourth hits at a random moment.
    const aimed = random() < 0.75
    const unanswered = new Map<string, string>()
    let killed = false
    const send = async (path: string, name: string): Promise<void> => {
      totals.requests++
      try {
        const { status, body } = await exchange(balancer.port, get(path), 15_000)
        if (status !== 200 || body.toString() !== name) totals.faults.push(`kill ${round}: ${name} was answered ${status} ${body}`)
      } catch (error) {
        unanswered.set(name, (error as Error).message)
      }
    }
    const client = async (): Promise<void> => {
      while (!killed) {
        const name = `r${id++}`
        await send(`/${name}`, name)
      }
      const last = `r${id++}`
      await send(`/${last}`, last)
    }
    const clients = Array.from({ length: CLIENTS }, client)
    if (aimed) {
      const name = `blocked${round}`
      clients.push(send(`/${name}?block=${BLOCK_MS}`, name))
      const pid = await until(() => begun.pidOf(name), 15_000, `${name} to begin`)
      await until(async () => waitingFor(await balancer.status()) > 0, ON_THEIR_WAY_MS, 'a hand-off on its way').catch(() => {})
      process.kill(pid, 'SIGKILL')
    } else {
      const { pools } = await balancer.status()
      const ready = pools.flatMap(({ workers }) => workers).filter(({ state }) => state === 'ready')
      await thinkTime(random() * 20)
      process.kill((ready[Math.floor(random() * ready.length)] as { pid: number }).pid, 'SIGKILL')
    }
    totals.kills++
    killed = true
    await Promise.all(clients)

    begun.read()
    const lost = [...unanswered].filter(([name]) => begun.pidOf(name) === undefined)
    totals.lostWithWorker += unanswered.size - lost.length
    if (!aimed && lost.length === 1) totals.hitBetween++
    else if (lost.length > 0) totals.faults.push(`kill ${round}: never started and lost: ${lost.map((one) => one.join(': ')).join(' | ')}`)
    await balancer.untilAllReady()
  }

  totals.faults.push(...begun.twice.map((name) => `${name} started twice`))
  totals.takenBack = (await balancer.status()).handOffs.takenBack
  await balancer.untilDescriptors(descriptors).catch((error) => totals.faults.push(error.message))
  await endOf(balancer, totals)
  return totals
}

async function endOf(balancer: RunningBalancer, totals: KillTotals): Promise<void> {
  const code = await balancer.stop()
  if (code !== 0) totals.faults.push(`the balancer ended with ${code}`)
}

function waitingFor({ connections }: Awaited<ReturnType<RunningBalancer['status']>>): number {
  return connections.waiting.offered
}
