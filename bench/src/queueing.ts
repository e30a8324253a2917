// npm run bench -- --queueing: how near to one central queue does a balancer come, with workers that are occupied by what they serve? The same traces
// for all.

import type { Questions } from './answers.ts'
import { centralQueue } from './central-queue.ts'
import { type Contender, entrants } from './contenders.ts'
import { ableOf } from './installed.ts'
import { ms } from './mixed-report.ts'
import type { OpenLoopReport, OpenLoopTask } from './open-loop.ts'
import { quantile } from './quantile.ts'
import { type QueueingScenario, rateOf } from './queueing-scenarios.ts'
import { traceOf } from './trace.ts'
import { sendTrace } from './trace-turn.ts'
import { inTurn } from './turn.ts'

const IDLE_PATH = '/work?ms=0'

export interface QueueingOptions {
  readonly contenders: readonly Contender[]
  readonly scenarios: readonly QueueingScenario[]
  /** A trace for each. */
  readonly seeds: readonly number[]
  /** About so many of a trace are counted. */
  readonly requests: number
  readonly warmUpSeconds: number
  /** How late the generator may be, at the 99th percentile. */
  readonly lateMs: number
}

/** One contender and one trace. */
export interface QueueingSample extends Omit<OpenLoopReport, 'faults'> {
  readonly scenario: string
  readonly contender: string
  readonly seed: number
  readonly ideal: Ideal
}

/** What the central queue makes of a trace. */
export interface Ideal {
  readonly p50Ms: number
  readonly p99Ms: number
}

/** A task whose streams say what they take. */
type QueueingTask = OpenLoopTask & Pick<QueueingScenario, 'streams'>

/** Sends every trace to every contender. Rejects when a single request was not answered as it should be. */
export async function measureQueueing(options: QueueingOptions, progress: (line: string) => void): Promise<readonly QueueingSample[]> {
  const able = ableOf(options.contenders, progress)
  const turns = options.scenarios.flatMap((scenario) =>
    options.seeds.flatMap((seed, index) => inTurn(entrants(able, scenario), index + 1).map((contender) => ({ scenario, seed, contender }))),
  )
  const samples: QueueingSample[] = []
  for (const { scenario, seed, contender } of turns) {
    const task = taskOf(scenario, seed, options)
    // The others differ in a number only, and many of them at once would take their time.
    const quickest = scenario.streams.slice(0, 1).map(({ path }) => path)
    const questions: Questions = { groups: [[IDLE_PATH, ...quickest]], order: 'any', bodyBytes: 0 }
    const { faults: _, ...report } = await sendTrace({ contender, questions, late: { p99Ms: options.lateMs } }, task, progress)
    const ideal = idealOf(task, scenario.workers)
    samples.push({ scenario: scenario.name, contender: contender.name, seed, ideal, ...report })
    const { p50Ms, p99Ms, count } = report.all
    const figures = `p50 ${ms(p50Ms)} p99 ${ms(p99Ms)} ms of ${count}, ${(p99Ms / ideal.p99Ms).toFixed(2)} × the ideal`
    progress(`${samples.length}/${turns.length}  ${scenario.name}  seed ${seed}  ${contender.name}  ${figures}`)
  }
  if (samples.length === 0) throw new Error('there was nothing to measure')
  return samples
}

function taskOf(scenario: QueueingScenario, seed: number, { requests, warmUpSeconds }: QueueingOptions): QueueingTask {
  const { connections, reconnect, streams } = scenario
  const seconds = warmUpSeconds + requests / rateOf(scenario)
  return { seed, seconds, warmUpSeconds, connections, reconnect, streams, openPath: IDLE_PATH }
}

/** Of the same requests that a contender is measured by; those before them queue here too. */
export function idealOf(task: QueueingTask, workers: number): Ideal {
  const trace = traceOf(task)
  const jobs = trace.map(({ atMs, stream: { timerMs, blockMs } }) => ({ atMs, timerMs, blockMs }))
  const counted = centralQueue(jobs, workers).filter((_, index) => (jobs[index]?.atMs ?? 0) >= task.warmUpSeconds * 1000)
  return { p50Ms: quantile(counted, 0.5), p99Ms: quantile(counted, 0.99) }
}
