// ab and wrk with more clients than the workers can serve. Both count their failed requests themselves.

import { patience } from '../../../../../test/support/patience.ts'
import { spawnLogged } from '../../../../../test/support/spawn.ts'

export interface CommandTotals {
  requests: number
  /** Output of failed runs. */
  readonly faults: string[]
}

const CLIENTS = 1_000
const TIMEOUT_S = patience(10)

/** Runs ab with `each` requests again and again until `seconds` are over. Each request has a new connection. ab ends at the first socket error. */
export async function saturateByAb(port: number, path: string, seconds: number, each: number): Promise<CommandTotals> {
  const totals: CommandTotals = { requests: 0, faults: [] }
  const args = ['-q', '-n', `${each}`, '-c', `${CLIENTS}`, '-s', `${TIMEOUT_S}`, `http://127.0.0.1:${port}${path}`]
  for (const endsAt = performance.now() + seconds * 1000; performance.now() < endsAt && totals.faults.length === 0; ) {
    const output = await outputOf('ab', args, totals)
    const numberOf = (title: string): number => Number(new RegExp(`^${title}: +(\\d+)`, 'm').exec(output)?.[1] ?? 0)
    totals.requests += numberOf('Complete requests')
    const isWhole = numberOf('Complete requests') === each
    const failed = ['Failed requests', 'Write errors', 'Non-2xx responses'].some((title) => numberOf(title) > 0)
    if (!isWhole || failed) totals.faults.push(output)
  }
  return totals
}

/** Runs wrk with kept-alive connections. */
export async function saturateByWrk(port: number, path: string, seconds: number): Promise<CommandTotals> {
  const totals: CommandTotals = { requests: 0, faults: [] }
  const args = ['-t1', `-c${CLIENTS}`, `-d${Math.ceil(seconds)}s`, '--timeout', `${TIMEOUT_S}s`, `http://127.0.0.1:${port}${path}`]
  const output = await outputOf('wrk', args, totals)
  totals.requests = Number(/^ *(\d+) requests in /m.exec(output)?.[1] ?? 0)
  if (totals.requests === 0 || /^ *(Socket errors|Non-2xx)/m.test(output)) totals.faults.push(output)
  return totals
}

async function outputOf(command: string, args: readonly string[], { faults }: CommandTotals): Promise<string> {
  const child = spawnLogged(command, args)
  const { code, signal } = await child.ended
  if (code !== 0) faults.push(`${command} ended with ${code ?? signal}`)
  return child.output()
}
