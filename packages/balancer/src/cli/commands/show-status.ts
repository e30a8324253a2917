// `balancer status`: prints what is unhealthy about a running balancer, and its pools and workers, as tables or as JSON.

import { setTimeout } from 'node:timers/promises'
import type { ControlStatus, PoolReport, WorkerReport } from '../../control/control-protocol.ts'
import type { JobExit, JobStatus, UpstreamServerStatus } from '../../status.ts'
import { healthSentence, type Severity, stuckMs, troublesOf } from '../../troubles.ts'
import { type SlotName, slotName } from '../../worker-name.ts'
import { type FindBalancerOptions, findBalancer } from '../find-balancer.ts'
import { fittedTable, wrapped } from '../fitted-table.ts'
import { counted, draining, duration, memory, urlsOf } from '../format.ts'
import type { CliIo, TextOutput } from '../io.ts'
import { printable, printableJson } from '../printable.ts'

export interface StatusOptions extends FindBalancerOptions {
  json?: boolean | undefined
  /** Print again and again, after so many seconds. undefined: once. */
  watch?: number | undefined
}

/** Left out when the terminal is too narrow, the first ones first. */
const DISPENSABLE = ['GEN', 'PID', 'RESTARTS', 'CONNECTIONS', 'FOR', 'MEMORY', 'LATENCY', 'GENERATION', 'OUT OF SERVICE']
const MARKS: Readonly<Record<Severity, string>> = { down: '!!', failing: '!', watch: '-' }
const HOME = '\x1b[H'
const ERASE_LINE = '\x1b[K'
const ERASE_BELOW = '\x1b[J'

/** Resolves with the exit code. With `watch` it ends with the balancer. Throws ERR_NOT_RUNNING. */
export async function status(options: StatusOptions, io: CliIo): Promise<number> {
  const client = await findBalancer(options, io)
  const seconds = options.watch
  print(await client.status(), options, io)
  if (seconds === undefined) return 0
  for (;;) {
    await setTimeout(seconds * 1000)
    print(await client.status(), options, io)
  }
}

function print(found: ControlStatus, { json, watch }: StatusOptions, { stdout }: CliIo): void {
  if (json === true) stdout.write(`${printableJson(found, watch === undefined ? 2 : undefined)}\n`)
  else if (watch === undefined) stdout.write(printable(describeStatus(found, widthOf(stdout))))
  else if (stdout.isTTY !== true) stdout.write(`${printable(describeStatus(found))}\n`)
  else stdout.write(screenOf(printable(describeStatus(found, widthOf(stdout))), stdout.rows ?? 24))
}

function widthOf({ isTTY, columns }: TextOutput): number | undefined {
  return isTTY === true ? columns : undefined
}

/** The text from the upper left corner on. What does not fit is left out, and counted. */
function screenOf(text: string, rows: number): string {
  const lines = text.trimEnd().split('\n')
  const shown = lines.length < rows ? lines : [...lines.slice(0, rows - 2), `… ${lines.length - rows + 2} more lines`]
  return `${HOME}${shown.map((line) => `${line}${ERASE_LINE}\n`).join('')}${ERASE_BELOW}`
}

/** `width`: columns of the terminal; undefined: lines are as long as they need to be. What is unhealthy comes first. */
export function describeStatus(status: ControlStatus, width?: number): string {
  const parts = [
    header(status, width),
    health(status, width),
    wrapped(connections(status), width, '  '),
    poolTable(status.pools, width),
    jobTable(status.pools, width),
    serverTable(status.pools, width),
    workerTable(status.pools, width),
    restarts(status.pools),
  ]
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`
}

function health(status: ControlStatus, width: number | undefined): string {
  const troubles = troublesOf(status)
  const [worst] = troubles
  const first = worst === undefined || worst.severity === 'watch' ? [healthSentence(status, troubles)] : []
  return [
    ...first,
    ...troubles.map(({ severity, subject, reason }) => wrapped(`${MARKS[severity]} ${subject} ${reason}`, width, '  ')),
  ].join('\n')
}

function header(status: ControlStatus, width: number | undefined): string {
  const { name, pid, version, upMs, addresses, channel } = status
  const facts = [`pid ${pid}`, `up ${duration(upMs)}`, `version ${version}`, `channel ${channel}`]
  const list = addresses.length === 0 ? 'no address yet' : urlsOf(status).join(' ')
  return [`${name} (${facts.join(', ')})`, `listens on ${list}`].map((line) => wrapped(line, width, '  ')).join('\n')
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

function poolTable(pools: readonly PoolReport[], width: number | undefined): string {
  const rows = [
    ['POOL', 'READY', 'GENERATION', 'OUT OF SERVICE', 'BROKEN'],
    ...pools.map(({ name, ready, desired, generation, held, broken, job, servers }) => [
      name,
      job == null ? `${ready} of ${desired}` : '-',
      generation === undefined ? '-' : String(generation),
      slots({ pool: name, proxy: servers != null }, held),
      slots({ pool: name, proxy: servers != null }, broken),
    ]),
  ]
  return fittedTable(rows, { width, dispensable: DISPENSABLE })
}

function jobTable(pools: readonly PoolReport[], width: number | undefined): string {
  const rows = pools.flatMap(({ name, job }) => (job == null ? [] : [jobRow(name, job)]))
  const head = ['SCHEDULE', 'TIMES', 'NEXT START', 'RUNNING', 'LAST EXIT', 'RUNS', 'FAILED', 'SKIPPED']
  return rows.length === 0 ? '' : fittedTable([head, ...rows], { width, dispensable: ['SKIPPED', 'RUNS', 'RUNNING', 'TIMES'] })
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

function serverTable(pools: readonly PoolReport[], width: number | undefined): string {
  const rows = pools.flatMap(({ name, servers }) => (servers ?? []).map((server) => serverRow(name, server)))
  const head = ['SERVER', 'UPSTREAM', 'STATE', 'IN FLIGHT', 'CONNECTIONS', 'LATENCY', 'REQUESTS', 'FAILED', '']
  return rows.length === 0 ? '' : fittedTable([head, ...rows], { width, dispensable: [...DISPENSABLE, 'REQUESTS'] })
}

function serverRow(pool: string, server: UpstreamServerStatus): string[] {
  const { slot, name, address, state, inFlight, connections, latencyMs, requests, failures, lastFailure, proxies, up } = server
  const counts = [inFlight, connections].map(String)
  const remarks = [
    ...(state === 'ready' && up < proxies ? [`${up} of ${proxies} proxy workers send it requests`] : []),
    ...(lastFailure === null ? [] : [`last failure: ${lastFailure}`]),
  ]
  return [
    `${pool}/${slot}`,
    `${name ?? 'removed'}${address === null ? '' : ` (${address})`}`,
    ...[state === 'held' ? 'out of service' : state, ...counts, `${latencyMs.toFixed(1)} ms`, String(requests), String(failures)],
    remarks.join('; '),
  ]
}

function slots(of: Omit<SlotName, 'slot'>, list: readonly number[] = []): string {
  return list.length === 0 ? '-' : list.map((slot) => slotName({ ...of, slot })).join(' ')
}

function workerTable(pools: readonly PoolReport[], width: number | undefined): string {
  const rows = pools.flatMap((pool) =>
    pool.workers
      .filter(({ state }) => state !== 'gone')
      .sort((one, other) => one.slot - other.slot || one.generation - other.generation)
      .map((worker) => workerRow(pool, worker)),
  )
  const head = ['WORKER', 'STATE', 'FOR', 'GEN', 'PID', 'IN FLIGHT', 'CONNECTIONS', 'LOOP', 'LATENCY', 'MEMORY', 'RESTARTS', '']
  return rows.length === 0 ? '' : fittedTable([head, ...rows], { width, dispensable: DISPENSABLE })
}

function workerRow({ name, servers }: PoolReport, worker: WorkerReport): string[] {
  const { slot, state, inStateMs, generation, pid, load, restarts } = worker
  return [
    slotName({ pool: name, slot, proxy: servers != null }),
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

function remarks(worker: WorkerReport): string {
  const { state, first, retiring, ejected, drainLeftMs, load } = worker
  const stuck = stuckMs(worker)
  return [
    ...(state === 'draining' && drainLeftMs != null ? [draining(load.connections, load.inFlight, drainLeftMs)] : []),
    ...(state !== 'draining' && retiring != null ? [`to be replaced: ${retiring}`] : []),
    ...(first === true ? ['first'] : []),
    ...(ejected === true ? ['ejected'] : []),
    ...(stuck > 0 ? [`event loop stuck for ${duration(stuck)}`] : []),
  ].join('; ')
}

function restarts(pools: readonly PoolReport[]): string {
  return pools
    .flatMap(({ name, restartsAtMs }) =>
      restartsAtMs == null ? [] : [`${name} is reloaded in ${duration(Math.max(0, restartsAtMs - Date.now()))} (restartAt).`],
    )
    .join('\n')
}
