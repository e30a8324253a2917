// The log's view of the balancer: it knows it by its events and nothing else.

import type { BalancerEmitter } from '../../events.ts'
import type { Log } from '../log.ts'
import { type EventLine, eventLines } from './event-lines.ts'

/** A policy of the user's that fails may do so on every request: one line for each route in this time. */
const policyQuietMs = 10_000

/** Writes a line for each event but `failed`, which ends the command and is told there. `now` in milliseconds. */
export function followEvents(events: BalancerEmitter, log: Log, now: () => number = Date.now): void {
  const { logger } = log
  const policyFaults = new PolicyFaults(now)
  followLines(events, ({ level, fields, text }) => logger[level](fields, text))
  events.on('workerOutput', (output) => log.output(output))
  events.on('policyFailed', ({ route, error }) => {
    const count = policyFaults.countToTell(route)
    if (count > 0)
      logger.error(
        { route, count, err: error },
        `the policy of route ${route} failed${count === 1 ? '' : ` ${count} times`}: ${messageOf(error)}`,
      )
  })
}

/** Calls back with the line of each event that has one, until the returned function is called. */
export function followLines(
  events: BalancerEmitter,
  listener: (line: EventLine, name: keyof typeof eventLines) => void,
  names: readonly (keyof typeof eventLines)[] = Object.keys(eventLines) as (keyof typeof eventLines)[],
): () => void {
  const listeners = names.map((name) => {
    const describe = eventLines[name] as (...payload: unknown[]) => EventLine
    return [name, (...payload: unknown[]) => listener(describe(...payload), name)] as const
  })
  for (const [name, heard] of listeners) events.on(name, heard as never)
  return () => {
    for (const [name, heard] of listeners) events.off(name, heard as never)
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** Counts failures per route and tells them together. Bounded by the number of routes. */
class PolicyFaults {
  readonly #routes = new Map<string, { toldAt: number; untold: number }>()
  readonly #now: () => number

  constructor(now: () => number) {
    this.#now = now
  }

  /** How many failures a line should tell of now; 0: not yet time. */
  countToTell(route: string): number {
    const known = this.#routes.get(route)
    const untold = (known?.untold ?? 0) + 1
    const isTime = known === undefined || this.#now() - known.toldAt >= policyQuietMs
    this.#routes.set(route, isTime ? { toldAt: this.#now(), untold: 0 } : { toldAt: known.toldAt, untold })
    return isTime ? untold : 0
  }
}
