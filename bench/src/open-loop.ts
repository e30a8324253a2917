// Sends a trace, in a process of its own: open-loop.ts <port> <trace as JSON>. Requests leave when they are due, whatever became of those before, and
// a latency counts from when its request was due. Prints `report: …`.

import { Worker } from 'node:worker_threads'
import { KeptConnections } from './kept-connections.ts'
import { quantile } from './quantile.ts'
import { type TraceOptions, traceOf } from './trace.ts'

export interface OpenLoopTask extends TraceOptions {
  /** The first part of the trace, in which nothing is counted. */
  readonly warmUpSeconds: number
  readonly lightPath: string
  readonly heavyPath: string
}

export interface Latencies {
  readonly count: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

export interface OpenLoopReport {
  readonly light: Latencies
  readonly heavy: Latencies
  /** How late the generator itself was: 99 % of the requests were asked for within this of when they were due. */
  readonly lateP99Ms: number
  /** What must not happen, with how often it did; empty when all is well. */
  readonly faults: Readonly<Record<string, number>>
}

const START_MS = 200

const [port, taskText] = process.argv.slice(2)
if (port !== undefined && taskText !== undefined) console.log(`report: ${JSON.stringify(await run(Number(port), JSON.parse(taskText)))}`)

async function run(port: number, task: OpenLoopTask): Promise<OpenLoopReport> {
  const trace = traceOf(task)
  const latencies = { light: [] as number[], heavy: [] as number[] }
  const late: number[] = []
  const faults: Record<string, number> = {}
  const connections = new KeptConnections(port, task.connections)
  await connections.open(task.lightPath)

  const startsAtMs = nowMs() + START_MS
  const workerData = { startsAtMs, timesMs: trace.map(({ atMs }) => atMs) }
  const pacer = new Worker(new URL('./pacer.js', import.meta.url), { workerData, execArgv: [] })
  await new Promise<void>((resolve, reject) => {
    let sent = 0
    let done = 0
    pacer.once('error', reject)
    pacer.on('message', () => {
      const { atMs, heavy, connection } = trace[sent++] as (typeof trace)[number]
      const dueMs = startsAtMs + atMs
      late.push(nowMs() - dueMs)
      connections.ask(connection, heavy ? task.heavyPath : task.lightPath, (fault) => {
        if (fault !== undefined) faults[fault] = (faults[fault] ?? 0) + 1
        else if (atMs >= task.warmUpSeconds * 1000) latencies[heavy ? 'heavy' : 'light'].push(nowMs() - dueMs)
        if (++done === trace.length) resolve()
      })
    })
  })
  connections.close()
  return { light: summaryOf(latencies.light), heavy: summaryOf(latencies.heavy), lateP99Ms: quantile(late, 0.99), faults }
}

function summaryOf(values: readonly number[]): Latencies {
  return { count: values.length, p50Ms: quantile(values, 0.5), p99Ms: quantile(values, 0.99), maxMs: quantile(values, 1) }
}

function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
