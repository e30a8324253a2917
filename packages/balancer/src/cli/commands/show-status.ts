// `balancer status`: prints the pools and workers of a running balancer, as tables or as JSON.

import type { ControlStatus, PoolReport, WorkerReport } from '../../control/control-protocol.ts'
import type { JobExit, JobStatus } from '../../status.ts'
import { type FindBalancerOptions, findBalancer } from '../find-balancer.ts'
import { counted, draining, duration, memory, table, urlOf } from '../format.ts'
import type { CliIo } from '../io.ts'
import { printable, printableJson } from '../printable.ts'

export interface StatusOptions extends FindBalancerOptions {
  json?: boolean | undefined
}

/** Resolves with the exit code. Throws ERR_NOT_RUNNING. */
export async function status(options: StatusOptions, io: CliIo): Promise<number> {
  const found = await (await findBalancer(options, io)).status()
  io.stdout.write(options.json === true ? `${printableJson(found, 2)}\n` : printable(describeStatus(found)))
  return 0
}

export function describeStatus(status: ControlStatus): string {
  const parts = [
    header(status),
    connections(status),
    poolTable(status.pools),
    jobTable(status.pools),
    workerTable(status.pools),
    notes(status.pools),
  ]
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`
}

function header({ name, pid, version, upMs, addresses, accepting, channel }: ControlStatus): string {
  const facts = [`pid ${pid}`, `up ${duration(upMs)}`, `version ${version}`, `channel ${channel}`]
  const list = addresses.length === 0 ? 'no address yet' : addresses.map(urlOf).join(' ')
  return `${name} (${facts.join(', ')})\nlistens on ${list}${accepting ? '' : ', accepts no connections now'}`
}

function connections({ connections: { accepted, handedOff, refused, waiting } }: ControlStatus): string {
  const refusals = Object.values(refused).reduce((sum, count) => sum + count, 0)
  const held = [
    [waiting.queue, 'queued'],
    [waiting.head + waiting.offered, 'on their way to a worker'],
    [waiting.resting, 'resting'],
  ] as const
  const inPrimary = held.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`)
  const all = `${counted(accepted, 'connection')} accepted, ${handedOff} handed to workers, ${refusals} refused`
  return inPrimary.length === 0 ? all : `${all}; ${inPrimary.join(', ')}`
}

function poolTable(pools: readonly PoolReport[]): string {
  return table([
    ['POOL', 'READY', 'GENERATION', 'OUT OF SERVICE', 'BROKEN'],
    ...pools.map(({ name, ready, desired, generation, held, broken, job }) => [
      name,
      job == null ? `${ready} of ${desired}` : '-',
      generation === undefined ? '-' : String(generation),
      slots(name, held),
      slots(name, broken),
    ]),
  ])
}

function jobTable(pools: readonly PoolReport[]): string {
  const rows = pools.flatMap(({ name, job }) => (job == null ? [] : [jobRow(name, job)]))
  return rows.length === 0 ? '' : table([['SCHEDULE', 'TIMES', 'NEXT START', 'RUNNING', 'LAST EXIT', 'RUNS', 'FAILED', 'SKIPPED'], ...rows])
}

function jobRow(pool: string, { schedule, timeZone, nextStartMs, running, last, runs, failed, skipped }: JobStatus): string[] {
  const times = timeZone === null ? schedule : `${schedule} (${timeZone})`
  const next = nextStartMs === null ? 'never again' : `in ${duration(Math.max(0, nextStartMs - Date.now()))}`
  return [pool, times, next, String(running), last === null ? '-' : lastExit(last), String(runs), String(failed), String(skipped)]
}

function lastExit({ startedMs, endedMs, code, signal }: JobExit): string {
  const ago = `${duration(Math.max(0, Date.now() - endedMs))} ago`
  if (code === null && signal === null) return `not started, ${ago}`
  return `${signal ?? `code ${code}`}, ${ago}, after ${duration(endedMs - startedMs)}`
}

function slots(pool: string, list: readonly number[] = []): string {
  return list.length === 0 ? '-' : list.map((slot) => `${pool}/${slot}`).join(' ')
}

function workerTable(pools: readonly PoolReport[]): string {
  const rows = pools.flatMap((pool) =>
    pool.workers
      .filter(({ state }) => state !== 'gone')
      .sort((one, other) => one.slot - other.slot || one.generation - other.generation)
      .map((worker) => workerRow(pool, worker)),
  )
  const head = ['WORKER', 'STATE', 'FOR', 'GEN', 'PID', 'IN FLIGHT', 'CONNECTIONS', 'LOOP', 'LATENCY', 'MEMORY', 'RESTARTS', '']
  return rows.length === 0 ? '' : table([head, ...rows])
}

function workerRow({ name }: PoolReport, worker: WorkerReport): string[] {
  const { slot, state, inStateMs, generation, pid, load, restarts } = worker
  return [
    `${name}/${slot}`,
    state,
    inStateMs === undefined ? '-' : duration(inStateMs),
    String(generation),
    String(pid),
    String(load.inFlight),
    String(load.connections),
    `${Math.round(load.utilisation * 100)} %`,
    `${load.latencyMs.toFixed(1)} ms`,
    memory(load.memoryBytes),
    String(restarts),
    remarks(worker),
  ]
}

/** A loop turn of this length or more is shown. */
const NOTABLE_BUSY_MS = 1_000

function remarks({ state, first, retiring, ejected, drainLeftMs, load }: WorkerReport): string {
  return [
    ...(state === 'draining' && drainLeftMs != null ? [draining(load.connections, load.inFlight, drainLeftMs)] : []),
    ...(state !== 'draining' && retiring != null ? [`to be replaced: ${retiring}`] : []),
    ...(first === true ? ['first'] : []),
    ...(ejected === true ? ['ejected'] : []),
    ...(load.busyMs >= NOTABLE_BUSY_MS ? [`event loop blocked for ${duration(load.busyMs)}`] : []),
  ].join('; ')
}

function notes(pools: readonly PoolReport[]): string {
  const broken = pools.flatMap(({ name, broken: list = [] }) => list.map((slot) => `${name}/${slot}`))
  const held = pools.flatMap(({ name, held: list = [] }) => list.map((slot) => `${name}/${slot}`))
  const finished = pools.flatMap(({ name, finished: list = [] }) => list.map((slot) => `${name}/${slot}`))
  const restarts = pools.filter(({ restartsAtMs }) => restartsAtMs != null)
  const outages = pools.filter(({ outageMs }) => outageMs != null)
  return [
    ...outages.map(
      ({ name, outageMs }) => `${name} has had no worker for ${duration(outageMs ?? 0)}. The balancer keeps trying to start one.`,
    ),
    ...pools.flatMap(({ name, notStarted: list = [] }) => list.map((one) => notStarted(name, one))),
    ...broken.map(
      (name) =>
        `${name} has failed too often and is not started again: 'balancer logs ${name}' shows why, 'balancer restart ${name}' starts it.`,
    ),
    ...finished.map((name) => `${name} has ended for good (stopExitCodes): 'balancer restart ${name}' starts it again.`),
    ...restarts.map(
      ({ name, restartsAtMs }) => `${name} is reloaded in ${duration(Math.max(0, (restartsAtMs ?? 0) - Date.now()))} (restartAt).`,
    ),
    ...held.map((name) => `${name} was taken out of service: 'balancer restart ${name}' brings it back.`),
  ].join('\n')
}

function notStarted(pool: string, { slot, message, times, retryInMs }: NonNullable<PoolReport['notStarted']>[number]): string {
  const next = retryInMs === null ? '' : ` Next try in ${duration(retryInMs)}.`
  return `${pool}/${slot} could not be started${times === 1 ? '' : `, ${times} times`}: ${message}.${next}`
}
