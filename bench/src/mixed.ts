// npm run bench -- --mixed: how long light requests take beside some that block their worker, on the same kept-alive connections. The same traces for all.

import { checkAnswers, type Questions } from './answers.ts'
import { startChild } from './children.ts'
import { type MixedContender, mixedContenders } from './contenders.ts'
import { ableOf } from './installed.ts'
import { ms } from './mixed-report.ts'
import type { Latencies, OpenLoopReport, OpenLoopTask } from './open-loop.ts'
import { startServer } from './server.ts'
import { inTurn } from './turn.ts'

/** Four clients' worth of heavy requests, each asking every 250 ms: at 50 ms they fill 0.8 of one worker. */
const load = { connections: 64, lightPerSecond: 1_000, heavyPerSecond: 16, lightPath: '/web', heavyPath: '/heavy' }
const questions: Questions = { groups: [[load.lightPath, load.heavyPath]], order: 'any', bodyBytes: 0 }
const GRACE_MS = 60_000
/** A generator that was later than this has measured the machine and not the contender: the trace is sent again. */
const LATE_MS = 5
const ATTEMPTS = 3

export interface MixedOptions {
  /** Traces, one for each seed from 1. */
  readonly rounds: number
  readonly seconds: number
  readonly warmUpSeconds: number
}

export interface MixedSample extends OpenLoopReport {
  readonly contender: string
  readonly seed: number
}

/** Sends every trace to every contender. Rejects when a single request was not answered as it should be. */
export async function measureMixed(
  { rounds, seconds, warmUpSeconds }: MixedOptions,
  progress: (line: string) => void,
): Promise<readonly MixedSample[]> {
  const contenders = ableOf(mixedContenders, progress)
  const samples: MixedSample[] = []
  for (let seed = 1; seed <= rounds; seed += 1) {
    for (const contender of inTurn(contenders, seed)) {
      const heavyPerSecond = contender.withoutHeavy === true ? 0 : load.heavyPerSecond
      const task = { ...load, heavyPerSecond, seed, seconds: warmUpSeconds + seconds, warmUpSeconds }
      const report = await takeInTime(contender, task, progress)
      samples.push({ contender: contender.name, seed, ...report })
      const count = `${samples.length}/${rounds * contenders.length}`
      progress(`${count}  seed ${seed}  ${contender.name}  light ${told(report.light)}, heavy ${told(report.heavy)}`)
    }
  }
  return samples
}

/** The attempt whose generator was the least late. */
async function takeInTime(contender: MixedContender, task: OpenLoopTask, progress: (line: string) => void): Promise<OpenLoopReport> {
  let last = await takeTrace(contender, task)
  let best = last
  for (let attempt = 2; attempt <= ATTEMPTS && best.lateP99Ms > LATE_MS; attempt += 1) {
    progress(`${contender.name}: the machine was busy, requests left up to ${ms(last.lateP99Ms)} ms late; again`)
    last = await takeTrace(contender, task)
    if (last.lateP99Ms < best.lateP99Ms) best = last
  }
  return best
}

async function takeTrace(contender: MixedContender, task: OpenLoopTask): Promise<OpenLoopReport> {
  const server = await startServer(contender)
  try {
    await checkAnswers(contender, server, questions)
    const script = new URL('./open-loop.ts', import.meta.url).pathname
    const child = startChild(process.execPath, [...process.execArgv, script, `${server.port}`, JSON.stringify(task)])
    const bound = setTimeout(() => child.process.kill('SIGKILL'), task.seconds * 1000 + GRACE_MS)
    await child.ended
    clearTimeout(bound)
    const text = /^report: (.*)$/m.exec(child.output())?.[1]
    if (text === undefined) throw new Error(`the load gave no report:\n${child.output()}`)
    const report = JSON.parse(text) as OpenLoopReport
    const faults = Object.entries(report.faults).map(([fault, count]) => `${fault}: ${count}`)
    if (faults.length > 0) throw new Error(`${contender.name}, mixed: ${faults.join(', ')}`)
    return report
  } finally {
    await server.stop()
  }
}

/** What all of them were given, in words. */
export function mixedLoad(): string {
  const { lightPerSecond, heavyPerSecond, connections } = load
  return `${lightPerSecond} light and ${heavyPerSecond} heavy requests a second on the same ${connections} kept-alive connections`
}

function told({ count, p50Ms, p99Ms }: Latencies): string {
  return count === 0 ? 'none' : `p50 ${ms(p50Ms)} p99 ${ms(p99Ms)} ms of ${count}`
}
