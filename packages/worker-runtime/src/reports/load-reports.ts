// Reports this worker's load to the primary: ten times a second in words of the load board, and in messages what has no word there. Over the
// portable channel the primary can't read the words, so everything goes in messages, ten times a second while something changes.

import { performance } from 'node:perf_hooks'
import { getHeapStatistics } from 'node:v8'
import { type LoadDetails, type LoadReport, MAX_WORD, packRouteCounters, routeCountersOf, rowWords } from '@switchyard/handoff'
import type { Runtime } from '../runtime.ts'
import type { InFlight } from '../server/requests/in-flight.ts'

const INTERVAL_MS = 100
/** One report in this many has details. Over shared memory only these go as messages. */
const DETAILED_ROUND = 10
/** Loop delays of the last ten seconds. */
const REMEMBERED_DELAYS = 100

/**
 * Starts to report; `words` are the worker's row of the load board. `onTick` is called ten times a second. The timer keeps no process alive. The result reports at once, where the primary can't
 * read the row.
 */
export function startLoadReports(runtime: Runtime, inFlight: InFlight, words: Int32Array, onTick = () => {}): () => void {
  let utilisation = performance.eventLoopUtilization()
  let due = performance.now() + INTERVAL_MS
  let last: LoadReport | undefined
  // The first report has details.
  let round = DETAILED_ROUND - 1
  const loopDelay = new LoopDelay()
  const counters = routeCountersOf(words)
  let ended = 0
  let memoryBytes = 0

  function report(loopLagMs: number): void {
    const now = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(now, utilisation)
    utilisation = now
    words[rowWords.loopLagUs] = Math.min(loopLagMs * 1000, MAX_WORD)
    words[rowWords.utilisation] = utilization * 1000
    const isDetailed = ++round % DETAILED_ROUND === 0
    if (runtime.end.sharesWords && !isDetailed) return
    memoryBytes = residentBytes() ?? memoryBytes
    const load: LoadReport = {
      inFlight: inFlight.count,
      connections: words[rowWords.connections] as number,
      received: inFlight.received,
      begun: inFlight.begun,
      failed: inFlight.failed,
      loopLagMs,
      utilisation: utilization,
      latencyMs: inFlight.latencyMs,
      memoryBytes,
    }
    const isSame =
      last !== undefined && load.inFlight === last.inFlight && load.received === last.received && load.connections === last.connections
    if (isSame && load.utilisation < 0.05 && !isDetailed) return
    last = load
    runtime.send({ switchyard: 'report', load: isDetailed ? { ...load, details: details(), routes: routes() } : load })
  }

  /** In shared memory the primary reads them itself. */
  function routes(): number[] | undefined {
    return runtime.end.sharesWords ? undefined : packRouteCounters(counters)
  }

  function details(): LoadDetails {
    const { used_heap_size: heapUsedBytes, heap_size_limit: heapLimitBytes } = getHeapStatistics()
    return { heapUsedBytes, heapLimitBytes, loopDelay: loopDelay.read(), responses: inFlight.responses }
  }

  // Written at once to a pipe that has room, so the last counts arrive.
  function reportLast(): void {
    if (runtime.end.sharesWords) return
    round = DETAILED_ROUND - 1
    report(0)
  }
  process.on('exit', reportLast)

  setInterval(() => {
    const now = performance.now()
    const loopLagMs = Math.max(0, now - due)
    due = now + INTERVAL_MS
    loopDelay.record(loopLagMs)
    onTick()
    if (inFlight.ended === ended) inFlight.forgetLatency()
    ended = inFlight.ended
    report(loopLagMs)
  }, INTERVAL_MS).unref()
  return reportLast
}

/** Undefined when the app has used up all descriptors: reading the size takes one. */
function residentBytes(): number | undefined {
  try {
    return process.memoryUsage.rss()
  } catch {
    return undefined
  }
}

/** The last delays of the loop, measured by how late the report's timer fires. A sample ten times a second costs nothing and tells enough. */
export class LoopDelay {
  private readonly last: number[] = []
  private next = 0

  record(ms: number): void {
    this.last[this.next] = ms
    this.next = (this.next + 1) % REMEMBERED_DELAYS
  }

  /** Quantiles by nearest rank; 0 without samples. */
  read(): LoadDetails['loopDelay'] {
    const sorted = [...this.last].sort((one, other) => one - other)
    const at = (part: number) => sorted[Math.ceil(sorted.length * part) - 1] ?? 0
    return { p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) }
  }
}
