// Tells the primary what does not tell itself as requests begin and end: ten times a second in words of the load board, and by messages what has
// no words there. Where the primary can't read them, it is told all of it ten times a second while something changes.

import { performance } from 'node:perf_hooks'
import { getHeapStatistics } from 'node:v8'
import { type LoadDetails, type LoadReport, MAX_WORD, rowWords } from '@switchyard/handoff'
import type { Runtime } from '../runtime.ts'
import type { InFlight } from '../server/in-flight.ts'
import { LoopDelay } from './loop-delay.ts'

const INTERVAL_MS = 100
/** Once a second it tells more; in between a worker says nothing whose words are read, or where nothing changes. */
const DETAILED_ROUND = 10

/** Starts to report; `words` are those of the load board. Keeps no process alive. */
export function startReports(runtime: Runtime, inFlight: InFlight, words: Int32Array): void {
  let utilisation = performance.eventLoopUtilization()
  let due = performance.now() + INTERVAL_MS
  let last: LoadReport | undefined
  // The first is one of those.
  let round = DETAILED_ROUND - 1
  const lateness = new LoopDelay()
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
    const same =
      last !== undefined && load.inFlight === last.inFlight && load.received === last.received && load.connections === last.connections
    if (same && load.utilisation < 0.05 && !isDetailed) return
    last = load
    runtime.send({ switchyard: 'report', load: isDetailed ? { ...load, details: details() } : load })
  }

  function details(): LoadDetails {
    const { used_heap_size: heapUsedBytes, heap_size_limit: heapLimitBytes } = getHeapStatistics()
    return { heapUsedBytes, heapLimitBytes, loopDelay: lateness.read(), responses: inFlight.responses }
  }

  setInterval(() => {
    const now = performance.now()
    const loopLagMs = Math.max(0, now - due)
    due = now + INTERVAL_MS
    lateness.record(loopLagMs)
    if (inFlight.ended === ended) inFlight.forgetLatency()
    ended = inFlight.ended
    report(loopLagMs)
  }, INTERVAL_MS).unref()
}

/** undefined: the app has taken every descriptor, and the system tells it by a file. */
function residentBytes(): number | undefined {
  try {
    return process.memoryUsage.rss()
  } catch {
    return undefined
  }
}
