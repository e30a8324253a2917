// A balancer that is upgraded while clients are at it: both processes share one log, and the first of them is the child of the test.

import { atSuiteEnd } from '../../../../../test/suite.ts'
import { untilEvent } from '../../../../../test/support/until.ts'
import { type CommandResult, runCommand } from './commands.ts'
import { RawClient, type Target } from './raw-client.ts'
import { type RunningBalancer, type StartOptions, startBalancer } from './running-balancer.ts'

/** `balancer start`, with every worker ready; its successors are ended with the suite. */
export async function startUpgradable(options: StartOptions): Promise<RunningBalancer> {
  const balancer = await startBalancer(options)
  await balancer.untilAllReady()
  atSuiteEnd(async () => {
    for (const pid of successorsOf(balancer)) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // It has ended.
      }
    }
  })
  return balancer
}

/** Those that have been started, in order. */
export function successorsOf(balancer: RunningBalancer): number[] {
  return balancer.lines.flatMap(({ msg }) => {
    const pid = /^upgrade: pid (\d+) starts$/.exec(msg)?.[1]
    return pid === undefined ? [] : [Number(pid)]
  })
}

/** `balancer upgrade`, which is to succeed; gives the pid of the successor. */
export async function upgrade(balancer: RunningBalancer): Promise<number> {
  const result = await runCommand(balancer, ['upgrade'])
  if (result.code !== 0) throw new Error(`the upgrade failed: ${JSON.stringify(result)}\n${balancer.child.output()}`)
  return successorsOf(balancer).at(-1) as number
}

/** `balancer upgrade`, whatever comes of it. */
export function tryUpgrade(balancer: RunningBalancer): Promise<CommandResult> {
  return runCommand(balancer, ['upgrade'])
}

/** Resolves with the exit code of the first primary; the log may be held open by its successor. */
export async function firstEnded(balancer: RunningBalancer): Promise<number | null> {
  const { process: child } = balancer.child
  if (child.exitCode === null && child.signalCode === null) await untilEvent(child, 'exit', 15_000)
  return child.exitCode
}

/** `balancer stop` of whoever serves; resolves when all is over. */
export async function stopLast(balancer: RunningBalancer): Promise<void> {
  const { code, err } = await runCommand(balancer, ['stop'])
  if (code !== 0) throw new Error(`stop: ${code} ${err}`)
  await balancer.ended()
}

export interface LoadTotals {
  requests: number
  /** Each with what it was doing. */
  readonly faults: string[]
}

/** Clients that ask again and again until they are told to stop: some on one connection each, some on a new one each time. Every answer must be whole and 200. */
export class SteadyLoad {
  readonly totals: LoadTotals = { requests: 0, faults: [] }
  private stopping = false
  private readonly clients: Promise<void>[] = []

  constructor(target: Target, { kept, fresh, idle = 0 }: { kept: number; fresh: number; idle?: number }) {
    for (let index = 0; index < kept; index++) this.clients.push(this.ask(target, `kept ${index}`, true, 0))
    for (let index = 0; index < fresh; index++) this.clients.push(this.ask(target, `fresh ${index}`, false, 0))
    for (let index = 0; index < idle; index++) this.clients.push(this.ask(target, `idle ${index}`, true, 150))
  }

  /** Resolves when so many more requests have been answered. */
  async more(count: number): Promise<void> {
    const until = this.totals.requests + count
    while (this.totals.requests < until && this.totals.faults.length === 0) await new Promise((resolve) => setTimeout(resolve, 10))
  }

  async stop(): Promise<LoadTotals> {
    this.stopping = true
    await Promise.all(this.clients)
    return this.totals
  }

  /** `pauseMs`: between its requests; a client that sends at the moment at which its idle connection moves. */
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
        if (keeps && headers.get('connection')?.[0] !== 'close') {
          if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs * Math.random()))
          continue
        }
      } catch (error) {
        this.totals.faults.push(`${what}: ${(error as Error).message}`)
      }
      client.destroy()
      client = undefined
    }
    client?.destroy()
  }
}
