// More clients than two workers can serve, while workers are killed or stopped for a while. Only requests that a killed worker had started, or
// that were on one of its connections, may stay unanswered. No request may start twice.

import { seededRandom } from '../../../../../test/support/random.ts'
import { signal } from './chaos-faults.ts'
import { thinkTime } from './raw-client.ts'
import type { RunningBalancer } from './running-balancer.ts'
import { type BurningOptions, startBurning, untilFree, workersOf } from './saturated-workers.ts'
import { forMs, type SaturatingOptions, type SaturatingTotals, saturate, type Unanswered } from './saturating-clients.ts'
import { StartedRequests } from './started-requests.ts'

export interface SaturatedKillsOptions extends Pick<SaturatingOptions, 'clients' | 'ms' | 'isKept'> {
  readonly policy: BurningOptions['policy']
  readonly seed: number
  readonly durationMs: number
}

export interface SaturatedKillsTotals extends Pick<SaturatingTotals, 'asked' | 'answered'> {
  kills: number
  stops: number
  /** Unanswered requests that had started in a killed worker. */
  lostWithWorker: number
  /** Unanswered requests that had not started, on a connection of a killed worker. */
  cutWithWorker: number
  /** Kills in the microseconds between a claim and the app's first line. */
  hitBetween: number
  readonly faults: string[]
}

const LONGEST_PAUSE_MS = 1_500
const LONGEST_STOP_MS = 1_500
/** A client notices a kill within this time. */
const NOTICED_MS = 15_000

interface Kill {
  readonly pid: number
  readonly atMs: number
  between: string | undefined
}

/** Runs to the end. Failures are in the totals. */
export async function saturateAndKill(options: SaturatedKillsOptions): Promise<SaturatedKillsTotals> {
  const { policy, seed, durationMs, ...crowd } = options
  const random = seededRandom(seed)
  const begun = new StartedRequests()
  const balancer = await startBurning({
    policy,
    queue: { timeoutMs: 300_000 },
    // Workers are killed all the time.
    more: { restartDelayMs: 10, maxRestartDelayMs: 50, maxRestarts: 1_000_000, headTimeoutMs: 300_000 },
    env: { BEGUN_FILE: begun.file },
  })
  const descriptors = balancer.descriptors
  const isOver = forMs(durationMs)
  const running = saturate({ ...crowd, target: balancer.port, isOver })
  const kills: Kill[] = []
  const totals: SaturatedKillsTotals = {
    ...{ asked: 0, answered: 0, kills: 0, stops: 0, lostWithWorker: 0, cutWithWorker: 0, hitBetween: 0, faults: [] },
  }
  // At least one worker is hit, however slow the machine is.
  while (!isOver() || kills.length + totals.stops === 0) {
    await thinkTime(random() * LONGEST_PAUSE_MS)
    const workers = workersOf(await balancer.status()).filter(({ state }) => state === 'ready')
    const victim = workers[Math.floor(random() * workers.length)]
    // One worker must stay.
    if (victim === undefined || workers.length < 2) continue
    if (random() < 0.5) {
      signal(victim.pid, 'SIGKILL')
      kills.push({ pid: victim.pid, atMs: Date.now(), between: undefined })
    } else {
      signal(victim.pid, 'SIGSTOP')
      await thinkTime(random() * LONGEST_STOP_MS)
      signal(victim.pid, 'SIGCONT')
      totals.stops++
    }
  }
  const { asked, answered, unserved, wrong } = await running
  begun.read()
  Object.assign(totals, { asked, answered, kills: kills.length })
  totals.faults.push(...wrong, ...begun.twice.map((name) => `${name} started twice`))
  for (const one of unserved) judge(one, begun, kills, totals)
  await endWhereItBegan(balancer, descriptors, totals)
  return totals
}

function judge(one: Unanswered, begun: StartedRequests, kills: readonly Kill[], totals: SaturatedKillsTotals): void {
  const began = begun.pidOf(one.name)
  const wasKilled = (pid: number | undefined): boolean => kills.some((kill) => kill.pid === pid)
  if (began !== undefined && wasKilled(began)) totals.lostWithWorker++
  else if (began === undefined && wasKilled(one.holder)) totals.cutWithWorker++
  else {
    const between =
      began === undefined ? kills.find((kill) => kill.between === undefined && Math.abs(kill.atMs - one.atMs) < NOTICED_MS) : undefined
    if (between === undefined)
      totals.faults.push(
        `${one.name}, ${began === undefined ? 'never begun' : `begun by ${began}`}, on a connection of ${one.holder}: ${one.why}`,
      )
    else {
      between.between = one.name
      totals.hitBetween++
    }
  }
}

async function endWhereItBegan(balancer: RunningBalancer, descriptors: number, { faults }: SaturatedKillsTotals): Promise<void> {
  const note = (error: Error): void => void faults.push(error.message)
  await balancer.untilAllReady().catch(note)
  const status = await untilFree(balancer).catch(note)
  for (const [reason, count] of Object.entries(status?.connections.refused ?? {})) if (count > 0) faults.push(`${count} refused: ${reason}`)
  await balancer.untilDescriptors(descriptors).catch(note)
  const code = await balancer.stop()
  if (code !== 0) faults.push(`the balancer ended with ${code}`)
}
