// npm run bench -- --queueing: how near does a balancer come to one central queue, with workers that are occupied by their requests? The
// same traces for all.

import type { Questions } from './answers.ts'
import { centralQueue } from './central-queue.ts'
import { type Contender, entrants } from './contenders.ts'
import { ableOf } from './installed.ts'
import type { OpenLoopReport, OpenLoopTask } from './open-loop.ts'
import { quantile } from './quantile.ts'
import { KERNEL, type QueueingScenario, rateOf } from './queueing-scenarios.ts'
import { formatMs } from './report.ts'
import { traceOf } from './trace.ts'
import { sendTrace } from './trace-turn.ts'
import { inTurn } from './turn.ts'

const IDLE_PATH = '/work?ms=0'

export interface QueueingOptions {
  readonly contenders: readonly Contender[]
  readonly scenarios: readonly QueueingScenario[]
  /** A trace for each. */
  readonly seeds: readonly number[]
  /** About this many requests of a trace are counted. */
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
  /** The same with servers of Node as workers; undefined where `KERNEL` took no part, because its CPU time is needed. */
  readonly nodeIdeal?: Ideal | undefined
  /** CPU time of all server processes, per request. */
  readonly cpuMs: number
}

/** The latencies of a trace under the central queue. */
export interface Ideal {
  readonly p50Ms: number
  readonly p99Ms: number
}

/** A task whose streams state their durations. */
type QueueingTask = OpenLoopTask & Pick<QueueingScenario, 'streams'>

/** Sends every trace to every contender. Rejects when a single request is not answered correctly. */
export async function measureQueueing(options: QueueingOptions, progress: (line: string) => void): Promise<readonly QueueingSample[]> {
  const able = ableOf(options.contenders, progress)
  const turns = options.scenarios.flatMap((scenario) =>
    options.seeds.flatMap((seed, index) => inTurn(entrants(able, scenario), index + 1).map((contender) => ({ scenario, seed, contender }))),
  )
  const samples: QueueingSample[] = []
  const nodeIdeals = new Map<string, Ideal>()
  for (const { scenario, seed, contender } of turns) {
    const task = taskOf(scenario, seed, options)
    // The other streams differ in a number only, and many of them at once would take long.
    const quickest = scenario.streams.slice(0, 1).map(({ path }) => path)
    const questions: Questions = { groups: [[IDLE_PATH, ...quickest]], order: 'any', bodyBytes: 0 }
    const { faults: _, serverCpuMs, ...report } = await sendTrace({ contender, questions, late: { p99Ms: options.lateMs } }, task, progress)
    const ideal = idealOf(task, scenario.workers)
    const cpuMs = serverCpuMs / traceOf(task).length
    if (contender.name === KERNEL) nodeIdeals.set(`${scenario.name} ${seed}`, idealOf(task, scenario.workers, cpuMs))
    samples.push({ scenario: scenario.name, contender: contender.name, seed, ideal, cpuMs, ...report })
    const { p50Ms, p99Ms, count } = report.all
    const figures = `p50 ${formatMs(p50Ms)} p99 ${formatMs(p99Ms)} ms of ${count}, ${(p99Ms / ideal.p99Ms).toFixed(2)} × the ideal`
    progress(`${samples.length}/${turns.length}  ${scenario.name}  seed ${seed}  ${contender.name}  ${figures}`)
  }
  if (samples.length === 0) throw new Error('there was nothing to measure')
  return samples.map((sample) => ({ ...sample, nodeIdeal: nodeIdeals.get(`${sample.scenario} ${sample.seed}`) }))
}

function taskOf(scenario: QueueingScenario, seed: number, { requests, warmUpSeconds }: QueueingOptions): QueueingTask {
  const { connections, reconnect, streams } = scenario
  const seconds = warmUpSeconds + requests / rateOf(scenario)
  return { seed, seconds, warmUpSeconds, connections, reconnect, streams, openPath: IDLE_PATH }
}

/**
 * Latencies of the same requests that a contender is measured by; the requests of the warm-up queue here too. `extraMs`: added to what each
 * occupies its worker for.
 */
export function idealOf(task: QueueingTask, workers: number, extraMs = 0): Ideal {
  const trace = traceOf(task)
  const jobs = trace.map(({ atMs, stream: { timerMs, blockMs } }) => ({ atMs, timerMs, blockMs: blockMs + extraMs }))
  const counted = centralQueue(jobs, workers).filter((_, index) => (jobs[index]?.atMs ?? 0) >= task.warmUpSeconds * 1000)
  return { p50Ms: quantile(counted, 0.5), p99Ms: quantile(counted, 0.99) }
}
