// Tells the primary what the load board has no words for: ten times a second while something changes.

import type { Server } from 'node:net'
import { performance } from 'node:perf_hooks'
import type { LoadReport } from '@switchyard/handoff'
import type { InFlight } from './in-flight.ts'
import type { Runtime } from './runtime.ts'

const INTERVAL_MS = 100
/** A worker where nothing changes says so once a second. */
const SILENT_ROUNDS = 10

/** Starts to report. Keeps no process alive. */
export function startReports(runtime: Runtime, inFlight: InFlight, server: () => Server): void {
  let utilisation = performance.eventLoopUtilization()
  let due = performance.now() + INTERVAL_MS
  let last: LoadReport | undefined
  let silent = 0
  let connections = 0
  let ended = 0

  function report(loopLagMs: number): void {
    const now = performance.eventLoopUtilization()
    const load: LoadReport = {
      inFlight: inFlight.count,
      connections,
      received: inFlight.received,
      loopLagMs,
      utilisation: performance.eventLoopUtilization(now, utilisation).utilization,
      latencyMs: inFlight.latencyMs,
      memoryBytes: process.memoryUsage.rss(),
    }
    utilisation = now
    const same =
      last !== undefined && load.inFlight === last.inFlight && load.received === last.received && load.connections === last.connections
    if (same && load.utilisation < 0.05 && ++silent < SILENT_ROUNDS) return
    silent = 0
    last = load
    runtime.send({ switchyard: 'report', load })
  }

  setInterval(() => {
    const now = performance.now()
    const loopLagMs = Math.max(0, now - due)
    due = now + INTERVAL_MS
    server().getConnections((_error, count) => {
      connections = count ?? 0
    })
    if (inFlight.ended === ended) inFlight.forgetLatency()
    ended = inFlight.ended
    report(loopLagMs)
  }, INTERVAL_MS).unref()
}
