// What is said of each event. A listener only: the log knows the balancer by its events and nothing else.

import type { BalancerEmitter, BalancerEvents, Seat } from '../events.ts'
import type { Log } from './log.ts'

/** A policy of the user's that fails may do so on every request: one line for each route in this time. */
const policyQuietMs = 10_000

/** Writes a line for each event but `failed`, which ends the command and is told there. `now` in milliseconds. */
export function followEvents(events: BalancerEmitter, log: Log, now: () => number = Date.now): void {
  const { logger } = log
  const policyFaults = new PolicyFaults(now)
  events.on('listening', ({ address }) => logger.info({ address }, `listening on ${address}`))
  events.on('portableChosen', ({ message }) => logger.warn({ channel: 'portable' }, message))
  events.on('workerStarted', (seat) => logger.debug(fields(seat), `${name(seat)} started (pid ${seat.pid})`))
  events.on('workerReady', ({ startMs, ...seat }) =>
    logger.info({ ...fields(seat), startMs }, `${name(seat)} ready after ${Math.round(startMs)} ms (pid ${seat.pid})`),
  )
  events.on('workerExited', (exit) => {
    const { code, signal, restartInMs } = exit
    logger[exit.expected ? 'info' : 'warn']({ ...fields(exit), code, signal, restartInMs }, describeExit(exit))
  })
  events.on('workerOutput', (output) => log.output(output))
  events.on('workerNoticed', ({ level, message, ...seat }) => logger[level](fields(seat), `${name(seat)}: ${message}`))
  events.on('acceptPaused', ({ reason }) => logger.warn({ reason }, `no connections are accepted for now: ${reason}`))
  events.on('acceptResumed', () => logger.info('connections are accepted again'))
  events.on('policyFailed', ({ route, error }) => {
    const count = policyFaults.countToTell(route)
    if (count > 0)
      logger.error(
        { route, count, err: error },
        `the policy of route ${route} failed${count === 1 ? '' : ` ${count} times`}: ${messageOf(error)}`,
      )
  })
  events.on('draining', ({ reason, timeoutMs }) =>
    logger.info({ reason, timeoutMs }, `draining for at most ${timeoutMs / 1000} s: ${reason}`),
  )
  events.on('handedOver', ({ pid }) => logger.info({ successor: pid }, `pid ${pid} serves now: this primary finishes what it has begun`))
  events.on('stopped', () => logger.info('stopped'))
}

function name({ pool, slot }: Pick<Seat, 'pool' | 'slot'>): string {
  return `${pool}/${slot}`
}

function fields({ pool, slot, generation, pid }: Seat) {
  return { pool, slot, generation, pid }
}

function describeExit(exit: BalancerEvents['workerExited'][0]): string {
  const { pid, code, signal, expected, everReady, restartInMs } = exit
  const how = signal === null ? `exited with code ${code}` : `was ended by ${signal}`
  const when = expected || everReady ? '' : ' before it was ready'
  const next = restartInMs === undefined ? '' : `; starts again in ${Math.round(restartInMs)} ms`
  return `${name(exit)} ${how}${when} (pid ${pid})${next}`
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
