// Writes the balancer's events to the log.

import type { BalancerEmitter } from '../../events.ts'
import { messageOf } from '../../thrown-error.ts'
import type { Log } from '../log.ts'
import { type EventLine, eventLines } from './event-lines.ts'

/** A policy that fails may fail on every request: at most one line per route in this time. */
const POLICY_QUIET_MS = 10_000

/** Logs every event except `failed`, which the command logs when it ends. `now` in milliseconds. */
export function followEvents(events: BalancerEmitter, log: Log, now: () => number = Date.now): void {
  const { logger } = log
  const policyFaults = new PolicyFaults(now)
  followLines(events, ({ level, fields, text }) => logger[level](fields, text))
  events.on('workerOutput', (output) => log.output(output))
  events.on('policyFailed', ({ route, error }) => {
    const count = policyFaults.countToLog(route)
    if (count > 0)
      logger.error(
        { route, count, err: error },
        `the policy of route ${route} failed${count === 1 ? '' : ` ${count} times`}: ${messageOf(error)}`,
      )
  })
}

/** Calls back with the line of each event until the returned function is called. */
export function followLines(
  events: BalancerEmitter,
  listener: (line: EventLine, name: keyof typeof eventLines) => void,
  names: readonly (keyof typeof eventLines)[] = Object.keys(eventLines) as (keyof typeof eventLines)[],
): () => void {
  const listeners = names.map((name) => {
    const describe = eventLines[name] as (...payload: unknown[]) => EventLine
    return [name, (...payload: unknown[]) => listener(describe(...payload), name)] as const
  })
  for (const [name, onEvent] of listeners) events.on(name, onEvent as never)
  return () => {
    for (const [name, onEvent] of listeners) events.off(name, onEvent as never)
  }
}

/** Counts failures per route between two log lines. Bounded by the number of routes. */
class PolicyFaults {
  private readonly routes = new Map<string, { loggedAt: number; unlogged: number }>()
  private readonly now: () => number

  constructor(now: () => number) {
    this.now = now
  }

  /** Counts one failure. Returns how many the next line reports; 0: no line yet. */
  countToLog(route: string): number {
    const known = this.routes.get(route)
    const unlogged = (known?.unlogged ?? 0) + 1
    const isDue = known === undefined || this.now() - known.loggedAt >= POLICY_QUIET_MS
    this.routes.set(route, isDue ? { loggedAt: this.now(), unlogged: 0 } : { loggedAt: known.loggedAt, unlogged })
    return isDue ? unlogged : 0
  }
}
