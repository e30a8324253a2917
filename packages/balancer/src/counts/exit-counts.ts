// Counts why worker processes have ended, by pool, from the events. One-off processes of a schedule are counted as jobs.

import type { BalancerEmitter, BalancerEvents } from '../events.ts'
import { type ExitCause, type ExitStatus, exitCauses } from '../status.ts'

/** Workers whose reason is remembered. */
const MAX_RETIRING = 10_000

type Exited = BalancerEvents['workerExited'][0]

export class ExitCounts {
  private readonly counts = new Map<string, Map<ExitCause, number>>()
  private readonly retiring = new Map<string, ExitCause>()
  private readonly generationOf: (pool: string) => number

  /** `generationOf`: the generation that the workers of a pool should have. */
  constructor(events: BalancerEmitter, generationOf: (pool: string) => number) {
    this.generationOf = generationOf
    events.on('workerRetiring', ({ pool, pid, cause }) => this.recordCause(pool, pid, cause))
    events.on('workerExited', (exit) => this.recordExit(exit))
  }

  /** One entry for each pool and each cause of which there was an exit. */
  get list(): ExitStatus[] {
    return [...this.counts].flatMap(([pool, causes]) => [...causes].map(([cause, count]) => ({ pool, cause, count })))
  }

  private recordCause(pool: string, pid: number, name: string | undefined): void {
    const cause = exitCauses.find((cause) => cause === name)
    if (cause !== undefined && this.retiring.size < MAX_RETIRING) this.retiring.set(`${pool} ${pid}`, cause)
  }

  private recordExit(exit: Exited): void {
    const { pool, pid } = exit
    const reason = this.retiring.get(`${pool} ${pid}`)
    this.retiring.delete(`${pool} ${pid}`)
    const cause = this.causeOf(exit, reason)
    const causes = this.counts.get(pool) ?? new Map<ExitCause, number>()
    this.counts.set(pool, causes)
    causes.set(cause, (causes.get(cause) ?? 0) + 1)
  }

  private causeOf({ pool, generation, signal, expected, everReady, isFinal }: Exited, reason: ExitCause | undefined): ExitCause {
    if (isFinal) return 'finished'
    if (reason !== undefined) return reason
    if (!everReady && !expected) return 'start'
    if (!expected) return signal === null ? 'exit-code' : 'signal'
    return generation === this.generationOf(pool) ? 'stop' : 'reload'
  }
}
