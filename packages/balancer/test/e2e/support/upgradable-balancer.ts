// A balancer whose primary is upgraded, and clients that send requests meanwhile. All primaries share one log; the first one is the child of
// the test.

import { atSuiteEnd } from '../../../../../test/suite.ts'
import { until, untilEvent } from '../../../../../test/support/until.ts'
import { type CommandResult, runCommand } from './commands.ts'
import { RawClient, type Target, thinkTime } from './raw-client.ts'
import { type RunningBalancer, type StartOptions, startBalancer } from './running-balancer.ts'

/** Starts a balancer and resolves when all workers are ready. Its new primaries are killed at the end of the suite. */
export async function startUpgradable(options: StartOptions): Promise<RunningBalancer> {
  const balancer = await startBalancer(options)
  await balancer.untilAllReady()
  killNewPrimariesAtEnd(balancer)
  return balancer
}

/** Kills the new primaries of this balancer at the end of the suite. */
export function killNewPrimariesAtEnd(balancer: RunningBalancer): void {
  atSuiteEnd(() => {
    for (const pid of newPrimariesOf(balancer)) if (isAlive(pid)) process.kill(pid, 'SIGKILL')
  })
}

/** Pids of the new primaries that were started, in order. */
export function newPrimariesOf(balancer: RunningBalancer): number[] {
  return balancer.lines.flatMap(({ msg }) => {
    const pid = /^upgrade: pid (\d+) starts$/.exec(msg)?.[1]
    return pid === undefined ? [] : [Number(pid)]
  })
}

/**
 * Runs `balancer upgrade` and resolves with the pid of the new primary. Rejects when it fails. `options`: more arguments, such as the control
 * socket.
 */
export async function upgrade(balancer: RunningBalancer, options: readonly string[] = []): Promise<number> {
  const result = await runCommand(balancer, ['upgrade', ...options])
  if (result.code !== 0) throw new Error(`the upgrade failed: ${JSON.stringify(result)}\n${balancer.child.output()}`)
  return newPrimariesOf(balancer).at(-1) as number
}

/** Runs `balancer upgrade`, which may fail. */
export function tryUpgrade(balancer: RunningBalancer): Promise<CommandResult> {
  return runCommand(balancer, ['upgrade'])
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** Resolves when the process has exited. */
export async function untilGone(pid: number): Promise<void> {
  await until(() => !isAlive(pid), 15_000, `the end of ${pid}`)
}

/** Resolves with the exit code of the first primary. Its log stays open in the new primary. */
export async function firstEnded(balancer: RunningBalancer): Promise<number | null> {
  const { process: child } = balancer.child
  if (child.exitCode === null && child.signalCode === null) await untilEvent(child, 'exit', 15_000)
  return child.exitCode
}

/** Runs `balancer stop`, which stops the primary that serves. Resolves when all processes have exited. */
export async function stopServing(balancer: RunningBalancer, options: readonly string[] = []): Promise<void> {
  const { code, err } = await runCommand(balancer, ['stop', ...options])
  if (code !== 0) throw new Error(`stop: ${code} ${err}`)
  await balancer.ended()
}

export interface LoadTotals {
  requests: number
  /** Each names its client and request. */
  readonly faults: string[]
}

/**
 * Clients that send requests until `stop`: on one connection each (`kept`, `idle`), or on a new one for each request (`fresh`). Every answer
 * must be complete and 200.
 */
export class SteadyLoad {
  readonly totals: LoadTotals = { requests: 0, faults: [] }
  private stopping = false
  private readonly clients: Promise<void>[] = []

  constructor(target: Target, { kept, fresh, idle = 0 }: { kept: number; fresh: number; idle?: number }) {
    for (let index = 0; index < kept; index++) this.clients.push(this.ask(target, `kept ${index}`, true, 40))
    for (let index = 0; index < fresh; index++) this.clients.push(this.ask(target, `fresh ${index}`, false, 40))
    for (let index = 0; index < idle; index++) this.clients.push(this.ask(target, `idle ${index}`, true, 300))
  }

  /** Resolves after `count` more answers, or with the first fault. */
  async more(count: number): Promise<void> {
    const { totals } = this
    const enough = totals.requests + count
    await until(() => totals.requests >= enough || totals.faults.length > 0, 60_000, `${count} more answers`)
  }

  async stop(): Promise<LoadTotals> {
    this.stopping = true
    await Promise.all(this.clients)
    return this.totals
  }

  /** `pauseMs`: longest pause between two requests. It is random, so that requests also come at the moment at which an idle connection moves. */
  private async ask(target: Target, name: string, keeps: boolean, pauseMs: number): Promise<void> {
    let client: RawClient | undefined
    for (let turn = 0; !this.stopping; turn++) {
      const what = `${name}, request ${turn}`
      client ??= new RawClient(target)
      const body = turn % 3 === 0 ? `body of ${what}` : ''
      const head = `${body === '' ? 'GET' : 'POST'} /${turn} HTTP/1.1\r\nHost: test\r\nConnection: ${keeps ? 'keep-alive' : 'close'}\r\n`
      client.write(body === '' ? `${head}\r\n` : `${head}Content-Length: ${body.length}\r\n\r\n${body}`)
      try {
        const { status, headers } = await client.answer(20_000)
        this.totals.requests++
        if (status !== 200) this.totals.faults.push(`${what}: ${status}`)
        await thinkTime(pauseMs * Math.random())
        if (keeps && headers.get('connection')?.[0] !== 'close') continue
      } catch (error) {
        this.totals.faults.push(`${what}: ${(error as Error).message}`)
      }
      client.destroy()
      client = undefined
    }
    client?.destroy()
  }
}
