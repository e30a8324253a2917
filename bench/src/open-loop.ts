// Sends a trace, in a process of its own: open-loop.ts <port> <trace as JSON>. Requests leave when they are due, whatever became of those
// before, and a latency counts from when its request was due. Prints `report: …`.

import { Worker } from 'node:worker_threads'
import type { Connections } from './exchange.ts'
import { FreshConnections } from './fresh-connections.ts'
import { KeptConnections } from './kept-connections.ts'
import { quantile } from './quantile.ts'
import { type TraceOptions, traceOf } from './trace.ts'

export interface OpenLoopTask extends TraceOptions {
  /** The first part of the trace, in which nothing is counted. */
  readonly warmUpSeconds: number
  /** Every request has its own connection. */
  readonly reconnect: boolean
  /** Kept-alive connections are opened with a request for this path. */
  readonly openPath: string
}

export interface Latencies {
  readonly count: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
}

export interface OpenLoopReport {
  readonly all: Latencies
  /** By the stream's name. */
  readonly streams: Readonly<Record<string, Latencies>>
  /** How late the generator itself was: 99 % of the requests left within this time of when they were due. */
  readonly lateP99Ms: number
  readonly lateMaxMs: number
  /** How many requests found no free connection. */
  readonly waited: number
  /** Faults, with how often each occurred; empty when all is well. */
  readonly faults: Readonly<Record<string, number>>
}

const START_MS = 200

const [port, taskText] = process.argv.slice(2)
if (port !== undefined && taskText !== undefined) console.log(`report: ${JSON.stringify(await run(Number(port), JSON.parse(taskText)))}`)

async function run(port: number, task: OpenLoopTask): Promise<OpenLoopReport> {
  const trace = traceOf(task)
  const latencies = new Map(task.streams.map(({ name }) => [name, [] as number[]]))
  const late: number[] = []
  const faults: Record<string, number> = {}
  const connections: Connections = task.reconnect ? new FreshConnections(port) : new KeptConnections(port, task.connections)
  await connections.open(task.openPath)

  const startsAtMs = nowMs() + START_MS
  const workerData = { startsAtMs, timesMs: trace.map(({ atMs }) => atMs) }
  const pacer = new Worker(new URL('./pacer.js', import.meta.url), { workerData, execArgv: [] })
  await new Promise<void>((resolve, reject) => {
    let sent = 0
    let done = 0
    pacer.once('error', reject)
    // The trace is empty.
    pacer.once('exit', () => trace.length === 0 && resolve())
    pacer.on('message', () => {
      const { atMs, stream, connection } = trace[sent++] as (typeof trace)[number]
      const dueMs = startsAtMs + atMs
      late.push(nowMs() - dueMs)
      connections.ask(connection, stream.path, (fault) => {
        if (fault !== undefined) faults[fault] = (faults[fault] ?? 0) + 1
        else if (atMs >= task.warmUpSeconds * 1000) latencies.get(stream.name)?.push(nowMs() - dueMs)
        if (++done === trace.length) resolve()
      })
    })
  })
  connections.close()
  return {
    all: summaryOf([...latencies.values()].flat()),
    streams: Object.fromEntries([...latencies].map(([name, values]) => [name, summaryOf(values)])),
    lateP99Ms: quantile(late, 0.99),
    lateMaxMs: quantile(late, 1),
    waited: connections.waited,
    faults,
  }
}

function summaryOf(values: readonly number[]): Latencies {
  return { count: values.length, p50Ms: quantile(values, 0.5), p99Ms: quantile(values, 0.99), maxMs: quantile(values, 1) }
}

function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
