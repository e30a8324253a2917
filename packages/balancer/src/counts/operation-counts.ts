// Counts operations by name and result, from the events: reloads, upgrades and the others of an operator.

import type { BalancerEmitter } from '../events.ts'
import type { OperationStatus } from '../status.ts'

/** Listed even before the first one. */
const NAMES = ['reload', 'rollback', 'scale', 'drain', 'restart', 'upgrade']
/** Names beyond this bound are not counted. */
const MAX_NAMES = 32

export class OperationCounts {
  private readonly byName = new Map<string, OperationStatus>()
  private readonly running = new Map<string, number>()

  constructor(events: BalancerEmitter) {
    for (const name of NAMES) this.of(name)
    events.on('operationStarted', ({ name }) => this.addRunning(name, 1))
    events.on('operationEnded', ({ name, error }) => this.recordEnd(name, error === undefined))
  }

  get list(): OperationStatus[] {
    return [...this.byName.values()].map((status) => ({ ...status, running: (this.running.get(status.name) ?? 0) > 0 }))
  }

  private recordEnd(name: string, isGood: boolean): void {
    this.addRunning(name, -1)
    const status = this.of(name)
    if (status === undefined) return
    if (isGood) status.succeeded++
    else status.failed++
    status.last = { endedMs: Date.now(), isGood }
  }

  private addRunning(name: string, change: 1 | -1): void {
    if (this.of(name) !== undefined) this.running.set(name, Math.max(0, (this.running.get(name) ?? 0) + change))
  }

  private of(name: string): OperationStatus | undefined {
    const known = this.byName.get(name)
    if (known !== undefined || this.byName.size >= MAX_NAMES) return known
    const status: OperationStatus = { name, running: false, succeeded: 0, failed: 0, last: null }
    this.byName.set(name, status)
    return status
  }
}
