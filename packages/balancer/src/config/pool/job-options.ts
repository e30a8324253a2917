// Pools that do not listen, one-off processes by a schedule, and how a worker that is no server starts and ends.

import * as v from 'valibot'
import { BalancerError } from '../../errors.ts'
import { cronFault, isTimeZone, loadCron } from '../../jobs/cron.ts'
import type { CronSettings, PoolSettings } from '../../settings.ts'
import { type Fault, type Loose, looseOf, show } from '../faults.ts'
import { flag } from '../schema.ts'

/** The part of a pool's options that is about background processes. */
export interface JobConfig {
  /** false: the workers get no connections. They are supervised, scaled, reloaded and logged like others. Default true; with `schedule` false. */
  listens?: boolean | undefined
  /** A cron expression: one process starts at each of these times and ends by itself, in place of workers that run all the time. */
  schedule?: string | undefined
  /** Start a process of the schedule although the one before still runs, up to `workers` at once. Default false. */
  overlap?: boolean | undefined
  /** A cron expression: the pool is reloaded at each of these times. */
  restartAt?: string | undefined
  /** Of `schedule` and `restartAt`, such as `'Europe/Berlin'`. Default: that of the balancer. */
  timeZone?: string | undefined
  /** The app gets the message `'shutdown'` before its stop signal. Default false. */
  shutdownMessage?: boolean | undefined
  /** A worker that ends with one of these codes is not started again. Default `[]`. */
  stopExitCodes?: readonly number[] | undefined
}

/** Processes of a schedule that run at once, with `overlap` and without `workers`. */
const DEFAULT_OVERLAP = 2

const PHRASE = "a cron expression such as '0 3 * * *' (minute, hour, day, month, weekday)"
const cron = v.optional(
  v.pipe(
    v.string(PHRASE),
    v.rawCheck(({ dataset, addIssue }) => {
      const fault = typeof dataset.value === 'string' ? cronFault(dataset.value) : undefined
      if (fault !== undefined) addIssue({ message: `expected ${PHRASE}, got ${show(dataset.value)}: ${fault}` })
    }),
  ),
)
const exitCode = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(255))

export const jobEntries = {
  listens: flag,
  schedule: cron,
  overlap: flag,
  restartAt: cron,
  timeZone: v.optional(
    v.pipe(v.string("a time zone such as 'Europe/Berlin'"), v.check(isTimeZone, "a time zone that Node knows, such as 'Europe/Berlin'")),
  ),
  shutdownMessage: flag,
  stopExitCodes: v.optional(v.array(v.config(exitCode, { message: 'an exit code from 0 to 255' }), 'a list of exit codes from 0 to 255')),
}

/** Options of pools that listen. */
const FOR_SERVERS = [
  ...['healthWhen', 'outliers', 'concurrency', 'queue', 'weights', 'slowStart', 'rest', 'maxRequests'],
  ...['maxConnectionAgeMs', 'drainSpreadMs', 'drainReturnMs'],
]
/** Options of workers that run all the time. */
const FOR_WORKERS = ['restartAt', 'autoscale', 'readyWhen', 'onOutage']

export function jobFaults(pool: Loose, at: (...keys: string[]) => string): Fault[] {
  const { schedule, overlap, restartAt, readyWhen, workers } = pool
  const faults: Fault[] = []
  const refuse = (name: string, why: string) => faults.push({ path: at(name), message: why })
  const refuseAll = (names: readonly string[], why: string) => {
    for (const name of names) if (pool[name] !== undefined) refuse(name, `has no effect: ${why}`)
  }
  if (!listensOf(pool)) {
    const why = schedule === undefined ? "the pool does not listen ('listens: false')" : "a pool with 'schedule' does not listen"
    refuseAll(FOR_SERVERS, why)
    if (schedule === undefined && readyWhen !== undefined && readyWhen !== 'message')
      refuse('readyWhen', `expected 'message', since ${why} and can't be probed`)
  }
  if (schedule !== undefined) {
    if (pool.listens === true) refuse('listens', "expected false: a process of 'schedule' ends when its work is done")
    refuseAll(FOR_WORKERS, "the pool starts one-off processes ('schedule')")
    if (overlap !== true && workers !== undefined && workers !== 1)
      refuse('workers', "expected 1: one process of 'schedule' runs at a time, unless 'overlap' is true")
    if (workers === 'max') refuse('workers', "expected a number: how many processes of 'schedule' may run at once")
  } else {
    refuseAll(['overlap'], "it belongs to 'schedule'")
    if (restartAt === undefined) refuseAll(['timeZone'], "it belongs to 'schedule' and 'restartAt'")
  }
  return faults
}

/** Loads the library of cron expressions if this config, which may have faults, has one. Call it before the config is checked. */
export async function loadCronFor(config: unknown): Promise<void> {
  const all = Object.values(looseOf(looseOf(config).pools)).map(looseOf)
  if (all.some(({ schedule, restartAt }) => schedule !== undefined || restartAt !== undefined)) await loadCron().catch(onLost)
}

function onLost(cause: unknown): never {
  const message = `the library for cron expressions can't be loaded (${(cause as Error).message}): after a deployment that removed the release, 'balancer upgrade' helps`
  throw new BalancerError('ERR_CONFIG', message, { source: 'system', cause })
}

/** Addresses of a config in which no pool listens. */
export function unusedListenFaults({ listen, pools }: Loose): Fault[] {
  const all = Object.values(looseOf(pools))
  const listensNone = all.length > 0 && !all.some((pool) => listensOf(looseOf(pool)))
  return listen !== undefined && listensNone
    ? [{ path: 'listen', message: "has no effect: no pool listens ('listens: false', 'schedule')" }]
    : []
}

/** Does the pool of a config, which may have faults, listen? */
export function listensOf({ listens, schedule }: Loose): boolean {
  return schedule === undefined ? listens !== false : false
}

export function jobSettings(
  pool: JobConfig & { workers?: number | 'max' | undefined },
): Pick<PoolSettings, 'listens' | 'schedule' | 'restartAt' | 'shutdownMessage' | 'stopExitCodes'> {
  const { schedule, overlap = false, restartAt, timeZone, workers, shutdownMessage = false, stopExitCodes = [] } = pool
  const times = (pattern: string | undefined): CronSettings | undefined => (pattern === undefined ? undefined : { pattern, timeZone })
  const most = overlap ? (typeof workers === 'number' ? workers : DEFAULT_OVERLAP) : 1
  return {
    listens: listensOf({ ...pool }),
    schedule: schedule === undefined ? undefined : { pattern: schedule, timeZone, most },
    restartAt: times(restartAt),
    shutdownMessage,
    stopExitCodes,
  }
}
