// `balancer status`: what runs, as tables for people or as JSON.

import type { ControlStatus } from '../../control/control-protocol.ts'
import { duration, memory } from '../duration.ts'
import { findBalancer, type ReachOptions } from '../find-balancer.ts'
import type { CliIo } from '../io.ts'
import { printable, printableJson } from '../printable.ts'
import { counted, draining } from '../running/event-lines.ts'
import { table } from '../table.ts'
import { urlOf } from '../url.ts'
import type { PoolDetails, WorkerDetails } from './worker-details.ts'

export interface StatusOptions extends ReachOptions {
  json?: boolean | undefined
}

/** Resolves with the exit code. Throws ERR_NOT_RUNNING. */
export async function status(options: StatusOptions, io: CliIo): Promise<number> {
  const found = await (await findBalancer(options, io)).status()
  io.stdout.write(options.json === true ? `${printableJson(found, 2)}\n` : printable(describeStatus(found)))
  return 0
}

/** The whole as text. */
export function describeStatus(status: ControlStatus): string {
  const parts = [header(status), connections(status), poolTable(status.pools), workerTable(status.pools), notes(status.pools)]
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`
}

function header({ name, pid, version, upMs, addresses, accepting, channel }: ControlStatus): string {
  const facts = [`pid ${pid}`, `up ${duration(upMs)}`, `version ${version}`, `channel ${channel}`]
  const where = addresses.length === 0 ? 'nowhere yet' : addresses.map(urlOf).join(' ')
  return `${name} (${facts.join(', ')})\nlistens on ${where}${accepting ? '' : ', and accepts no connections now'}`
}

function connections({ connections: { accepted, handedOff, refused, waiting } }: ControlStatus): string {
  const turnedAway = Object.values(refused).reduce((sum, count) => sum + count, 0)
  const held = [
    [waiting.queue, 'wait for a worker'],
    [waiting.head + waiting.offered, 'are on their way'],
    [waiting.resting, 'rest'],
  ] as const
  const here = held.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`)
  const all = `${counted(accepted, 'connection')} accepted, ${handedOff} handed to workers, ${turnedAway} refused`
  return here.length === 0 ? all : `${all}; ${here.join(', ')}`
}

function poolTable(pools: readonly PoolDetails[]): string {
  return table([
    ['POOL', 'READY', 'GENERATION', 'OUT OF SERVICE', 'BROKEN'],
    ...pools.map(({ name, ready, desired, generation, held, broken }) => [
      name,
      `${ready} of ${desired}`,
      generation === undefined ? '-' : String(generation),
      slots(name, held),
      slots(name, broken),
    ]),
  ])
}

function slots(pool: string, list: readonly number[] = []): string {
  return list.length === 0 ? '-' : list.map((slot) => `${pool}/${slot}`).join(' ')
}

function workerTable(pools: readonly PoolDetails[]): string {
  const rows = pools.flatMap((pool) =>
    pool.workers
      .filter(({ state }) => state !== 'gone')
      .sort((one, other) => one.slot - other.slot || one.generation - other.generation)
      .map((worker) => workerRow(pool, worker)),
  )
  const head = ['WORKER', 'STATE', 'FOR', 'GEN', 'PID', 'IN FLIGHT', 'CONNECTIONS', 'LOOP', 'LATENCY', 'MEMORY', 'RESTARTS', '']
  return rows.length === 0 ? '' : table([head, ...rows])
}

function workerRow({ name }: PoolDetails, worker: WorkerDetails): string[] {
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

/** From here on a busy loop is worth a word. */
const notableBusyMs = 1_000

function remarks({ state, retiring, ejected, drainLeftMs, load }: WorkerDetails): string {
  return [
    ...(state === 'draining' && drainLeftMs != null ? [draining(load.connections, load.inFlight, drainLeftMs)] : []),
    ...(state !== 'draining' && retiring != null ? [`to be replaced: ${retiring}`] : []),
    ...(ejected === true ? ['ejected'] : []),
    ...(load.busyMs >= notableBusyMs ? [`in one turn for ${duration(load.busyMs)}`] : []),
  ].join('; ')
}

function notes(pools: readonly PoolDetails[]): string {
  const broken = pools.flatMap(({ name, broken: list = [] }) => list.map((slot) => `${name}/${slot}`))
  const held = pools.flatMap(({ name, held: list = [] }) => list.map((slot) => `${name}/${slot}`))
  const outages = pools.filter(({ outageMs }) => outageMs != null)
  return [
    ...outages.map(
      ({ name, outageMs }) =>
        `${name} has served nothing for ${duration(outageMs ?? 0)}: one of its workers after the other is tried again by itself.`,
    ),
    ...pools.flatMap(({ name, notStarted: list = [] }) => list.map((one) => notStarted(name, one))),
    ...broken.map(
      (workerSlot) =>
        `${workerSlot} has failed too often and is not started again: 'balancer logs ${workerSlot}' tells why, 'balancer restart ${workerSlot}' tries again.`,
    ),
    ...held.map((workerSlot) => `${workerSlot} was taken out of service: 'balancer restart ${workerSlot}' brings it back.`),
  ].join('\n')
}

function notStarted(pool: string, { slot, message, times, retryInMs }: NonNullable<PoolDetails['notStarted']>[number]): string {
  const next = retryInMs === null ? '' : ` Tries again in ${duration(retryInMs)}.`
  return `${pool}/${slot} could not be started${times === 1 ? '' : `, ${times} times`}: ${message}.${next}`
}
