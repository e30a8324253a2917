// The status of upstream servers: what the primary has decided of each, and the sum of what the proxy workers report.

import type { ServerReport, UpstreamTarget } from '@switchyard/worker-runtime'
import type { UpstreamServerStatus } from '../status.ts'
import type { PoolWorker } from '../supervisor/pool-worker.ts'
import type { ServerCount, ServerCounts } from './server-counts.ts'

type Proxy = Pick<PoolWorker, 'state' | 'upstream'>

/** Servers in service, out of service, and removed ones that still have requests, by slot. */
export function serverStatuses(
  targets: readonly UpstreamTarget[],
  proxies: readonly Proxy[],
  counts: Pick<ServerCounts, 'of'>,
): UpstreamServerStatus[] {
  const reports = new Map<string, ServerReport[]>()
  for (const { upstream } of proxies) {
    for (const report of upstream?.servers ?? []) {
      const key = keyOf(report)
      reports.set(key, [...(reports.get(key) ?? []), report])
    }
  }
  const listed = new Set(targets.map(keyOf))
  const removed = [...reports].flatMap(([key, [first]]) => (listed.has(key) || first === undefined ? [] : [first]))
  return [
    ...targets.map((target) => statusOf(target, target, reports.get(keyOf(target)) ?? [], counts.of(target))),
    ...removed
      .map((report) => statusOf(report, undefined, reports.get(keyOf(report)) ?? [], counts.of(report)))
      .filter(({ inFlight }) => inFlight > 0),
  ].sort((one, other) => one.slot - other.slot || one.generation - other.generation)
}

function statusOf(
  { slot, generation }: Pick<UpstreamTarget, 'slot' | 'generation'>,
  target: UpstreamTarget | undefined,
  reports: readonly ServerReport[],
  { requests, failures, lastFailure }: ServerCount,
): UpstreamServerStatus {
  const sum = (read: (report: ServerReport) => number) => reports.reduce((total, report) => total + read(report), 0)
  const inFlight = sum((report) => report.inFlight)
  const measured = sum((report) => report.requests)
  const up = reports.filter(({ state }) => state === 'up').length
  const latencySum = sum((report) => report.latencyMs * report.requests)
  return {
    slot,
    generation,
    name: target?.name ?? null,
    address: target?.address ?? null,
    weight: target?.weight ?? 0,
    state: stateOf(target, inFlight, up, reports),
    proxies: reports.length,
    up,
    inFlight,
    requests,
    connections: sum((report) => report.connections),
    latencyMs: measured === 0 ? 0 : latencySum / measured,
    failures,
    lastFailure: lastFailure ?? null,
  }
}

function stateOf(
  target: UpstreamTarget | undefined,
  inFlight: number,
  up: number,
  reports: readonly ServerReport[],
): UpstreamServerStatus['state'] {
  if (target === undefined) return 'draining'
  if (target.isHeld) return inFlight > 0 ? 'draining' : 'held'
  if (up > 0 || reports.length === 0) return 'ready'
  return reports.some(({ state }) => state === 'down') ? 'down' : 'ejected'
}

function keyOf({ slot, generation }: Pick<UpstreamTarget, 'slot' | 'generation'>): string {
  return `${slot} ${generation}`
}
