// States of pools and workers for tests of the supervisor's plan, and the test of one state with its actions.

import { assert, type TestSuite } from '../../../../test/suite.ts'
import { type Action, plan } from '../../src/supervisor/plan.ts'
import type { Actual, Desired, PlannedWorker, PoolTarget, SlotStarts } from '../../src/supervisor/plan-input.ts'

export const NOW = 100_000

export const pool = (changes: Partial<PoolTarget> = {}): PoolTarget => ({
  name: 'web',
  workers: 2,
  generation: 0,
  previous: undefined,
  replaced: false,
  failure: undefined,
  held: new Set(),
  broken: new Set(),
  finished: new Set(),
  due: new Set(),
  isOneOff: false,
  isDropped: false,
  isInOutage: false,
  maxSurge: 1,
  settleMs: 1500,
  startTimeoutMs: 10_000,
  ...changes,
})
export const desired = (changes: Partial<Desired> = {}, ofPool: Partial<PoolTarget> = {}): Desired => ({
  pools: [pool(ofPool)],
  stopping: false,
  drainTimeoutMs: 30_000,
  maxRestarts: 3,
  restartWindowMs: 60_000,
  startsAtOnce: 8,
  outageRetryMs: 30_000,
  ...changes,
})
/** A reload from generation 0 to generation 1. */
export const reloading = (changes: Partial<PoolTarget> = {}) => desired({}, { generation: 1, previous: 0, ...changes })
export const worker = (changes: Partial<PlannedWorker> = {}): PlannedWorker => ({
  id: 1,
  pool: 'web',
  slot: 0,
  generation: 0,
  state: 'ready',
  sinceMs: NOW - 1000,
  upMs: undefined,
  hasBegun: false,
  silentMs: 0,
  retiring: undefined,
  sealed: false,
  drained: false,
  stoppingMs: undefined,
  stopTimeoutMs: undefined,
  isOneOff: false,
  ...changes,
})
export const second = (changes: Partial<PlannedWorker> = {}) => worker({ id: 2, slot: 1, ...changes })
/** Of generation 1, in slot 0. */
export const next = (changes: Partial<PlannedWorker> = {}) => worker({ id: 3, generation: 1, state: 'starting', ...changes })
export const actual = (workers: PlannedWorker[], history: Record<number, SlotStarts> = {}, proven = ['web']): Actual => ({
  workers,
  history: ({ slot }) => history[slot],
  provenPools: new Set(proven),
})
export const both = (changes: Partial<PlannedWorker> = {}) => [worker(changes), second()]
export const start = (slot: number, generation = 0): Action => ({ do: 'start', workerSlot: { pool: 'web', slot }, generation })
export const failed = (startAtMs: number): SlotStarts => ({ failures: 1, startAtMs, failedMs: [NOW - 10] })

/** A state with the actions that are due in it, and the time of the next plan. */
export interface PlanRow {
  readonly name: string
  readonly desired?: Desired
  readonly actual: Actual
  readonly actions: readonly Action[]
  readonly nextMs?: number
}

/** Adds a test for each state. */
export function planTable(test: TestSuite, table: readonly PlanRow[]): void {
  for (const row of table) {
    test(row.name, () => {
      const planned = plan(row.desired ?? desired(), row.actual, NOW)
      assert.equal(planned.actions, row.actions)
      assert.is(planned.nextMs, row.nextMs ?? Number.POSITIVE_INFINITY)
    })
  }
}
