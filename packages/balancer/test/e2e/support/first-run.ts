// The first worker of a pool under random kills, hangs, reloads, scales and upgrades: there are never two, and soon there is one again.

import { connect } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { patience } from '../../../../../test/support/patience.ts'
import { freePort } from '../../../../../test/support/ports.ts'
import { seededRandom } from '../../../../../test/support/random.ts'
import { until } from '../../../../../test/support/until.ts'
import { runCommand } from './commands.ts'
import type { RunningBalancer } from './running-balancer.ts'
import { newPrimariesOf, startUpgradable, stopServing } from './upgradable-balancer.ts'

const ACTIONS = ['kill the first', 'kill any', 'hang the first', 'hang any', 'reload', 'scale', 'restart', 'upgrade'] as const
type Action = (typeof ACTIONS)[number]

const WORKERS = 3
const HANG_MS = 500
const MAX_PAUSE_MS = 200
const POLL_MS = 5
const ASK_TIMEOUT_MS = 100

export interface FirstTotals {
  readonly actions: Partial<Record<Action, number>>
  /** How often another worker became the first. */
  changes: number
  /** The longest time without an answer of a first worker. */
  longestNoneMs: number
  readonly faults: string[]
}

/** Does `count` random things to a balancer, each when all workers are ready again, and watches the first worker meanwhile. */
export async function watchFirsts(count: number, seed: number): Promise<FirstTotals> {
  const random = seededRandom(seed)
  const port = await freePort()
  const balancer = await startUpgradable({
    config: { hangTimeoutMs: HANG_MS, maxRestarts: 1000, pools: { web: { app: 'first-app.mjs', workers: WORKERS } } },
    env: { FIRST_PORT: `${port}` },
  })
  const totals: FirstTotals = { actions: {}, changes: 0, longestNoneMs: 0, faults: [] }
  const watch = new FirstWatch(port, totals)
  await until(() => watch.pid !== undefined, 10_000, 'a first worker')
  try {
    for (let round = 0; round < count; round++) await playRound()
  } finally {
    await watch.stop()
  }
  totals.faults.push(...balancer.lines.filter(({ msg }) => /two firsts|onFirst:/.test(msg)).map(({ msg }) => msg))
  await stopServing(balancer)
  return totals

  async function playRound(): Promise<void> {
    const action = ACTIONS[Math.floor(random() * ACTIONS.length)] as Action
    totals.actions[action] = (totals.actions[action] ?? 0) + 1
    await setTimeout(random() * MAX_PAUSE_MS)
    await act(balancer, action, watch, random)
    await untilComplete(balancer)
    await until(() => watch.isAnswering, 10_000, `a first worker after: ${action}`)
  }
}

async function act(balancer: RunningBalancer, action: Action, watch: FirstWatch, random: () => number): Promise<void> {
  const pids = await workersOf(balancer)
  const any = pids[Math.floor(random() * pids.length)] as number
  const target = action.endsWith('the first') ? (watch.pid ?? any) : any
  if (action.startsWith('kill')) return signal(target, 'SIGKILL')
  if (action.startsWith('hang')) return signal(target, 'SIGUSR2')
  const size = 1 + Math.floor(random() * WORKERS)
  const commands = { reload: ['reload'], scale: ['scale', 'web', `${size}`], restart: ['restart', 'web/0'], upgrade: ['upgrade'] }
  const command = commands[action as keyof typeof commands]
  await until(
    async () => {
      const { code, err } = await runCommand(balancer, command)
      // Another operation is under way, or the old primary of the last upgrade has not exited yet.
      if (code !== 0 && !err.includes('ERR_BUSY')) throw new Error(`${command.join(' ')}: ${code} ${err}`)
      return code === 0
    },
    20_000,
    command.join(' '),
  )
  if (action === 'upgrade') balancer.newPrimaryPid = newPrimariesOf(balancer).at(-1)
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // It has exited meanwhile.
  }
}

interface Report {
  readonly pools: readonly { readonly ready: number; readonly desired: number; readonly workers: readonly { readonly pid: number }[] }[]
}

async function reportOf(balancer: RunningBalancer): Promise<Report | undefined> {
  const { code, out } = await runCommand(balancer, ['status', '--json'])
  return code === 0 ? (JSON.parse(out) as Report) : undefined
}

async function workersOf(balancer: RunningBalancer): Promise<number[]> {
  const report = await until(() => reportOf(balancer), 10_000, 'a status')
  return report.pools.flatMap(({ workers }) => workers.map(({ pid }) => pid))
}

async function untilComplete(balancer: RunningBalancer): Promise<void> {
  const isComplete = ({ pools }: Report) => pools.every(({ ready, desired, workers }) => ready === desired && workers.length === desired)
  await until(
    async () => {
      const report = await reportOf(balancer)
      return report !== undefined && isComplete(report)
    },
    20_000,
    'every worker ready',
  )
}

/** Asks the port of the first worker who it is, again and again. */
class FirstWatch {
  pid: number | undefined
  isAnswering = false
  private readonly totals: FirstTotals
  private answeredMs = performance.now()
  private isStopping = false
  private readonly watching: Promise<void>

  constructor(port: number, totals: FirstTotals) {
    this.totals = totals
    this.watching = this.watch(port)
  }

  stop(): Promise<void> {
    this.isStopping = true
    return this.watching
  }

  private async watch(port: number): Promise<void> {
    while (!this.isStopping) {
      const pid = await ask(port)
      const now = performance.now()
      this.isAnswering = pid !== undefined
      if (pid !== undefined) {
        if (this.pid !== undefined) this.totals.longestNoneMs = Math.max(this.totals.longestNoneMs, Math.round(now - this.answeredMs))
        if (this.pid !== undefined && this.pid !== pid) this.totals.changes++
        this.pid = pid
        this.answeredMs = now
      }
      await setTimeout(POLL_MS)
    }
  }
}

/** The pid of the process that listens; undefined: none does, or it hangs. */
function ask(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    let text = ''
    const socket = connect(port, '127.0.0.1')
    socket.setTimeout(patience(ASK_TIMEOUT_MS), () => socket.destroy())
    socket.on('data', (chunk) => {
      text += chunk.toString()
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve(text === '' ? undefined : Number(text)))
  })
}
