// The check of a worker's report of its load on arrival.

import { type LoadDetails, type LoadReport, MAX_COUNTED_ROUTES, ROUTE_COLUMNS, responseBoundsMs } from '@switchyard/handoff'
import { isRecord } from './listen-protocol.ts'

/** Impossible values become 0, and `faults` counts them. */
export function readLoad(from: Record<string, unknown>): LoadReport {
  const checked = new Checked()
  const load = {
    inFlight: checked.count(from.inFlight),
    connections: checked.count(from.connections),
    received: checked.count(from.received),
    begun: checked.count(from.begun),
    failed: checked.count(from.failed),
    loopLagMs: checked.amount(from.loopLagMs),
    utilisation: Math.min(1, checked.amount(from.utilisation)),
    latencyMs: checked.amount(from.latencyMs),
    memoryBytes: checked.amount(from.memoryBytes),
  }
  const details = from.details === undefined ? undefined : readDetails(from.details, checked)
  const { routes } = from
  const packed = Array.isArray(routes)
    ? routes.slice(0, MAX_COUNTED_ROUTES * ROUTE_COLUMNS).map((value) => checked.amount(value))
    : undefined
  return { ...load, details, ...(packed !== undefined && { routes: packed }), faults: checked.faults }
}

function readDetails(from: unknown, checked: Checked): LoadDetails | undefined {
  const { heapUsedBytes, heapLimitBytes, loopDelay, responses } = recordOf(from)
  const { p50Ms, p99Ms, maxMs } = recordOf(loopDelay)
  const { counts, sumMs } = recordOf(responses)
  if (!Array.isArray(counts) || counts.length !== responseBoundsMs.length + 1) {
    checked.faults++
    return undefined
  }
  return {
    heapUsedBytes: checked.amount(heapUsedBytes),
    heapLimitBytes: checked.amount(heapLimitBytes),
    loopDelay: { p50Ms: checked.amount(p50Ms), p99Ms: checked.amount(p99Ms), maxMs: checked.amount(maxMs) },
    responses: { counts: Array.from(counts, (count) => checked.count(count)), sumMs: checked.amount(sumMs) },
  }
}

/** Checks numbers from a worker: an impossible value becomes 0 and is counted. */
export class Checked {
  faults = 0

  amount(value: unknown): number {
    if (typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER) return value
    this.faults++
    return 0
  }

  count(value: unknown): number {
    return Math.floor(this.amount(value))
  }
}

function recordOf(value: unknown): Record<string, unknown> {
  return isRecord(value) ? value : {}
}
