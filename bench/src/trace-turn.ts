// One contender and one trace: started afresh, checked, sent the trace, stopped.

import { checkAnswers, type Questions } from './answers.ts'
import { startChild } from './children.ts'
import type { Contender } from './contenders.ts'
import { cpuTimes } from './cpu.ts'
import type { OpenLoopReport, OpenLoopTask } from './open-loop.ts'
import { type RunningServer, startServer } from './server.ts'

const GRACE_MS = 60_000
const ATTEMPTS = 3

/** How late the generator may be: 99 % of its requests, or every one. */
export type LateBound = { readonly p99Ms: number } | { readonly maxMs: number }

/** The surroundings of a trace. */
export interface TraceTurn {
  readonly contender: Contender
  readonly questions: Questions
  /** If the generator was later than this, the trace has measured the machine and not the contender, and is sent again. */
  readonly late: LateBound
  /** Runs beside the trace, from its start until `over` is aborted. */
  readonly beside?: (server: RunningServer, over: AbortSignal) => Promise<void>
}

/** The report of a trace. */
export interface TraceReport extends OpenLoopReport {
  /** CPU time of all server processes, from the first request to the last answer. */
  readonly serverCpuMs: number
}

/** The attempt whose generator was the least late. Rejects when a single request is not answered correctly. */
export async function sendTrace(turn: TraceTurn, task: OpenLoopTask, progress: (line: string) => void): Promise<TraceReport> {
  const { late } = turn
  const bound = 'maxMs' in late ? late.maxMs : late.p99Ms
  const lateOf = (report: OpenLoopReport): number => ('maxMs' in late ? report.lateMaxMs : report.lateP99Ms)
  let last = await attempt(turn, task)
  let best = last
  for (let count = 2; count <= ATTEMPTS && lateOf(best) > bound; count += 1) {
    progress(`${turn.contender.name}: the machine was busy, requests left up to ${lateOf(last).toFixed(1)} ms late; again`)
    last = await attempt(turn, task)
    if (lateOf(last) < lateOf(best)) best = last
  }
  return best
}

async function attempt({ contender, questions, beside }: TraceTurn, task: OpenLoopTask): Promise<TraceReport> {
  const server = await startServer(contender)
  const over = new AbortController()
  try {
    await checkAnswers(contender, server, questions)
    const aside = beside?.(server, over.signal)
    // Awaited below; until then the rejection must not count as unhandled.
    aside?.catch(() => {})
    const before = cpuOf(server)
    const report = await generate(server.port, task)
    const serverCpuMs = cpuOf(server) - before
    over.abort()
    await aside
    const faults = Object.entries(report.faults).map(([fault, count]) => `${fault}: ${count}`)
    if (faults.length > 0) throw new Error(`${contender.name}: ${faults.join(', ')}`)
    return { ...report, serverCpuMs }
  } finally {
    over.abort()
    await server.stop()
  }
}

function cpuOf({ pid }: RunningServer): number {
  return [...cpuTimes(pid).values()].reduce((sum, one) => sum + one, 0)
}

/** Sends a trace to a port of this machine. */
export async function generate(port: number, task: OpenLoopTask): Promise<OpenLoopReport> {
  const script = new URL('./open-loop.ts', import.meta.url).pathname
  const child = startChild(process.execPath, [...process.execArgv, script, `${port}`, JSON.stringify(task)])
  const bound = setTimeout(() => child.process.kill('SIGKILL'), task.seconds * 1000 + GRACE_MS)
  await child.ended
  clearTimeout(bound)
  const text = /^report: (.*)$/m.exec(child.output())?.[1]
  if (text === undefined) throw new Error(`the load gave no report:\n${child.output()}`)
  return JSON.parse(text) as OpenLoopReport
}
