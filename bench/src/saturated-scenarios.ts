// The scenarios of `saturated`, as data: more clients than the workers can serve, and a handler that burns CPU. A cell is a scenario with
// its paths and targets.

import { KERNEL } from './queueing-scenarios.ts'
import type { LeastTarget, Scenario } from './scenarios.ts'

/** More requests than the workers can serve are always waiting. */
export const CLIENTS = 200
const PATIENCE_SECONDS = 30

export interface SaturatedCell {
  readonly name: string
  /** CPU time of a request in its handler. */
  readonly cpuMs: number
  readonly reconnect: boolean
}

export const saturatedCells: readonly SaturatedCell[] = [1.5, 7].flatMap((cpuMs) => [
  { name: `new-connections-${cpuMs}ms`, cpuMs, reconnect: true },
  { name: `kept-alive-${cpuMs}ms`, cpuMs, reconnect: false },
])

/** Of the requests a second. */
export const saturatedTargets: readonly LeastTarget[] = saturatedCells.map(({ name }) => ({
  scenario: name,
  contender: 'switchyard',
  against: KERNEL,
  atLeast: 0.97,
}))

/** The cells on a machine that does this many turns of the loop in a millisecond. */
export function scenariosOf(cells: readonly SaturatedCell[], loopsPerMs: number): readonly Scenario[] {
  return cells.map(({ name, cpuMs, reconnect }) => ({
    ...{ name, unit: 'request', requestsPerUnit: 1, connections: CLIENTS, reconnect, order: 'any', bodyBytes: 0, saturates: true },
    // The kernel shares unfairly: some of its kept-alive connections wait for seconds.
    patienceSeconds: PATIENCE_SECONDS,
    groups: [[`/burn?loops=${Math.round(cpuMs * loopsPerMs)}`]],
  }))
}
