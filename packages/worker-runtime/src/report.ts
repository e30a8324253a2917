// Tells the primary what the load board has no words for: ten times a second while something changes.

import type { Server } from 'node:net'
import { performance } from 'node:perf_hooks'
import { getHeapStatistics } from 'node:v8'
import type { LoadDetails, LoadReport } from '@switchyard/handoff'
import type { InFlight } from './in-flight.ts'
import { Lateness } from './lateness.ts'
import type { Runtime } from './runtime.ts'

const INTERVAL_MS = 100
/** Once a second it tells more, and a worker where nothing changes says nothing in between. */
const DETAILED_ROUND = 10

/** Starts to report. Keeps no process alive. */
export function startReports(runtime: Runtime, inFlight: InFlight, server: () => Server): void {
  let utilisation = performance.eventLoopUtilization()
  let due = performance.now() + INTERVAL_MS
  let last: LoadReport | undefined
  let round = 0
  const lateness = new Lateness()
  let connections = 0
  let ended = 0
  let memoryBytes = 0

  function report(loopLagMs: number): void {
    const now = performance.eventLoopUtilization()
    memoryBytes = residentBytes() ?? memoryBytes
    const load: LoadReport = {
      inFlight: inFlight.count,
      connections,
      received: inFlight.received,
      begun: inFlight.begun,
      failed: inFlight.failed,
      loopLagMs,
      utilisation: performance.eventLoopUtilization(now, utilisation).utilization,
      latencyMs: inFlight.latencyMs,
      memoryBytes,
    }
    utilisation = now
    const same =
      last !== undefined && load.inFlight === last.inFlight && load.received === last.received && load.connections === last.connections
    const isDetailed = ++round % DETAILED_ROUND === 0
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
    lateness.note(loopLagMs)
    server().getConnections((_error, count) => {
      connections = count ?? 0
    })
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
