// What is said of each event, for the log and for whoever waits for an operation.

import type { BalancerEvents, Seat } from '../../events.ts'
import { APP_STOP_SIGNALS } from '../../settings.ts'
import { duration } from '../duration.ts'

/** A line for people, and its fields for machines. */
export interface EventLine {
  level: 'debug' | 'info' | 'warn' | 'error'
  fields: object
  text: string
}

/** Events that are told otherwise: `failed` ends the command, what workers print is passed on as it is, and of policies that fail not every one is told. */
type Told = Exclude<keyof BalancerEvents, 'failed' | 'workerOutput' | 'policyFailed'>

type Lines = { readonly [Name in Told]: (...payload: BalancerEvents[Name]) => EventLine }

export const eventLines: Lines = {
  listening: ({ address }) => info({ address }, `listening on ${address}`),
  listenerClosed: ({ address }) => info({ address }, `no longer listening on ${address}`),
  portableChosen: ({ message }) => warn({ channel: 'portable' }, message),
  workerStarted: (workerSlot) => ({
    level: 'debug',
    fields: fields(workerSlot),
    text: `${nameOf(workerSlot)} started (pid ${workerSlot.pid})`,
  }),
  workerReady: ({ startMs, ...workerSlot }) =>
    info({ ...fields(workerSlot), startMs }, `${nameOf(workerSlot)} ready after ${Math.round(startMs)} ms (pid ${workerSlot.pid})`),
  workerExited: (exit) => {
    const { code, signal, restartInMs, expected } = exit
    return { level: expected ? 'info' : 'warn', fields: { ...fields(exit), code, signal, restartInMs }, text: describeExit(exit) }
  },
  workerNotStarted: ({ message, restartInMs, ...workerSlot }) =>
    warn(
      { ...workerSlot, restartInMs },
      `${nameOf(workerSlot)} could not be started: ${message}${restartInMs === undefined ? '' : `; tries again in ${Math.round(restartInMs)} ms`}`,
    ),
  workerNoticed: ({ level, message, ...workerSlot }) => ({ level, fields: fields(workerSlot), text: `${nameOf(workerSlot)}: ${message}` }),
  workerRetiring: ({ reason, ...workerSlot }) =>
    info({ ...fields(workerSlot), reason }, `${nameOf(workerSlot)} is to be replaced: ${reason} (pid ${workerSlot.pid})`),
  workerDraining: ({ connections, inFlight, leftMs, ...workerSlot }) =>
    info(
      { ...fields(workerSlot), connections, inFlight, leftMs },
      `${nameOf(workerSlot)} drains: ${draining(connections, inFlight, leftMs)} (pid ${workerSlot.pid})`,
    ),
  workerHung: ({ busyMs, ...workerSlot }) =>
    warn(
      { ...fields(workerSlot), busyMs },
      `${nameOf(workerSlot)} hangs: its event loop has not turned for ${duration(busyMs)} (pid ${workerSlot.pid})`,
    ),
  workerStack: ({ stack, ...workerSlot }) =>
    warn(
      { ...fields(workerSlot), stack },
      stack === undefined ? `${nameOf(workerSlot)}: where it hangs can't be told` : `${nameOf(workerSlot)} hangs here:\n${stack}`,
    ),
  workerEjected: ({ reason, forMs, ...workerSlot }) =>
    warn(
      { ...fields(workerSlot), reason, forMs },
      `${nameOf(workerSlot)} gets nothing for ${duration(forMs)}: ${reason} (pid ${workerSlot.pid})`,
    ),
  seatBroken: ({ pool, slot, failures }) => ({
    level: 'error',
    fields: { pool, slot, failures },
    text: `${pool}/${slot} is broken: it failed ${failures} times, and is not started again ('balancer restart ${pool}/${slot}' does)`,
  }),
  outageBegan: ({ pool, retryMs, exitReasons }) => ({
    level: 'error',
    fields: { pool, retryMs },
    text: `${pool} serves nothing: every one of its workers has failed too often (${exitReasons}). One is tried again every ${duration(retryMs)}; when it comes up, so do the others`,
  }),
  outageEnded: ({ pool, afterMs }) => info({ pool, afterMs }, `${pool} serves again, after ${duration(afterMs)}`),
  folderNoticed: ({ message }) => warn({}, message),
  scaled: ({ pool, from, to, reason }) => info({ pool, from, to, reason }, `${pool} goes from ${from} to ${workers(to)}: ${reason}`),
  operationStarted: ({ name, pool }) => info({ operation: name, pool }, `${name}${pool === undefined ? '' : ` of ${pool}`} begins`),
  operationProgressed: ({ name, message }) => info({ operation: name }, `${name}: ${message}`),
  operationEnded: ({ name, message, error }) =>
    error === undefined
      ? info({ operation: name }, `${name}: ${message}`)
      : failure({ operation: name, err: error }, `${name} failed: ${message}`),
  ready: ({ workers: count }) => ({ level: 'debug', fields: { workers: count }, text: `connections are accepted, with ${workers(count)}` }),
  acceptPaused: ({ reason }) => warn({ reason }, `no connections are accepted for now: ${reason}`),
  acceptResumed: () => info({}, 'connections are accepted again'),
  sharingFailed: ({ error }) =>
    warn(
      { err: error },
      `what is learned of visitors is not shared with other balancers: ${error instanceof Error ? error.message : String(error)}`,
    ),
  draining: ({ reason, timeoutMs }) => info({ reason, timeoutMs }, `draining for at most ${timeoutMs / 1000} s: ${reason}`),
  handedOver: ({ pid }) => info({ newPrimaryProcess: pid }, `pid ${pid} serves now: this primary finishes what it has begun`),
  stopped: () => info({}, 'stopped'),
}

/** As people and the command line write a seat: `web/0`. */
export function nameOf({ pool, slot }: Pick<Seat, 'pool' | 'slot'>): string {
  return `${pool}/${slot}`
}

/** What a worker that takes nothing new still has to finish, and how long it may take at most. */
export function draining(connections: number, inFlight: number, leftMs: number): string {
  if (connections === 0 && inFlight === 0) return 'nothing left to finish'
  const wholeSecondsMs = Math.ceil(leftMs / 1000) * 1000
  return `${counted(connections, 'connection')}, ${counted(inFlight, 'request')}; at most ${duration(wholeSecondsMs)} more`
}

export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

function workers(count: number): string {
  return counted(count, 'worker')
}

function fields({ pool, slot, generation, pid }: Seat) {
  return { pool, slot, generation, pid }
}

function info(given: object, text: string): EventLine {
  return { level: 'info', fields: given, text }
}

function warn(given: object, text: string): EventLine {
  return { level: 'warn', fields: given, text }
}

function failure(given: object, text: string): EventLine {
  return { level: 'error', fields: given, text }
}

function describeExit(exit: BalancerEvents['workerExited'][0]): string {
  const { pid, signal, expected, everReady, restartInMs } = exit
  const when = expected || everReady ? '' : ' before it was ready'
  const next = restartInMs === undefined ? '' : `; starts again in ${Math.round(restartInMs)} ms`
  // What the balancer kills has been expected, and its reason was told before.
  const cause = signal === 'SIGKILL' && !expected ? ', which the balancer did not send: the kernel does so when memory runs out' : ''
  return `${nameOf(exit)} ${howItEnded(exit)}${when} (pid ${pid})${cause}${next}`
}

/** A worker that was told to stop and ends by a signal that asks for it has ended as it should. */
function howItEnded({ code, signal, expected }: BalancerEvents['workerExited'][0]): string {
  if (expected && (code === 0 || APP_STOP_SIGNALS.some((name) => name === signal))) return 'has stopped'
  return signal === null ? `exited with code ${code}` : `was ended by ${signal}`
}
