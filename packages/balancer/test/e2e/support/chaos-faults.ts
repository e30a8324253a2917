// The faults of the chaos test and the moments at which they hit. A fault hits one process; a moment finds the worker.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { exhaustDescriptors } from '../../../../../test/support/descriptors.ts'
import { patience } from '../../../../../test/support/patience.ts'
import { until } from '../../../../../test/support/until.ts'
import type { BalancerStatus, WorkerStatus } from '../../../src/status.ts'
import { ChaosClient, type ChaosClientOptions } from './chaos-clients.ts'
import { thinkTime } from './raw-client.ts'
import type { RunningBalancer } from './running-balancer.ts'
import type { StartedRequests } from './started-requests.ts'

export const moments = ['before hand-off', 'on its way', 'received', 'mid-body', 'mid-response', 'upgraded'] as const
export type Moment = (typeof moments)[number]

export const faults = [
  ...['SIGKILL', 'SIGSTOP and SIGCONT', 'SIGSTOP', 'busy loop', 'out of memory', 'process.exit', 'process.disconnect'],
  ...['descriptors of the worker', 'descriptors of the primary'],
] as const
export type Fault = (typeof faults)[number]

export interface ChaosWorld extends ChaosClientOptions {
  readonly balancer: RunningBalancer
  readonly begun: StartedRequests
  /** Workers read their faults here. */
  readonly folder: string

  readonly longestBusyMs: number
}

/** The process to hit. `over` resolves when its request has ended. */
export interface Victim {
  readonly pid: number
  readonly over: Promise<void>
}

/** A request stays in its moment this long, so that the fault hits within it. */
const UNDER_WAY_MS = 600
const AFTERWARDS_MS = 300

/** Finds a worker in that moment, mostly by a request that brings it there. undefined: the moment was too short, or `mayHit` excludes the worker. */
export async function findVictim(world: ChaosWorld, moment: Moment, mayHit: (pid: number) => boolean): Promise<Victim | undefined> {
  const { log, balancer, begun, random } = world
  if (moment === 'before hand-off') {
    const ready = workersOf(await balancer.status()).filter(({ pid, state }) => state === 'ready' && mayHit(pid))
    const worker = ready[Math.floor(random() * ready.length)]
    return worker && { pid: worker.pid, over: Promise.resolve() }
  }
  const visitor = new ChaosClient(world)
  const name = log.name('victim')
  const over = underWay(visitor, moment, name).finally(() => visitor.end())
  const pid = await until(() => begun.pidOf(name), patience(2_000), name).catch(() => undefined)
  if (moment === 'on its way') {
    // The loop of the worker is blocked, so the next connections stay offered.
    await until(async () => (await balancer.status()).connections.waiting.offered > 0, UNDER_WAY_MS / patience(1), 'an offer').catch(
      () => {},
    )
  }
  if (pid !== undefined && mayHit(pid)) return { pid, over }
  await over
  return undefined
}

function underWay(visitor: ChaosClient, moment: Exclude<Moment, 'before hand-off'>, name: string): Promise<void> {
  switch (moment) {
    case 'on its way':
      return visitor.long('block', UNDER_WAY_MS, name)
    case 'received':
      return visitor.long('wait', UNDER_WAY_MS, name)
    case 'mid-body':
      return visitor.upload(UNDER_WAY_MS, name)
    case 'mid-response':
      return visitor.download(UNDER_WAY_MS, name)
    case 'upgraded':
      return visitor.echo(6, UNDER_WAY_MS / 6, name)
  }
}

/** Injects a fault. Resolves when the process has exited, or works as before. */
export async function inject(world: ChaosWorld, fault: Fault, pid: number): Promise<void> {
  const { random, longestBusyMs } = world
  switch (fault) {
    case 'SIGKILL':
    case 'SIGSTOP':
      signal(pid, fault)
      return untilGone(pid)
    case 'SIGSTOP and SIGCONT':
      signal(pid, 'SIGSTOP')
      await thinkTime(random() * 1500)
      return signal(pid, 'SIGCONT')
    case 'busy loop': {
      const ms = Math.round(1000 + random() * (longestBusyMs - 1000))
      order(world, pid, `busy ${ms}`)
      return Promise.race([untilGone(pid, ms), thinkTime(ms + AFTERWARDS_MS)])
    }
    case 'out of memory':
      order(world, pid, 'memory')
      return untilGone(pid)
    case 'process.exit':
      order(world, pid, `exit ${Math.floor(random() * 2)}`)
      return untilGone(pid)
    case 'process.disconnect':
      order(world, pid, 'disconnect')
      return untilGone(pid)
    case 'descriptors of the worker': {
      const ms = Math.round(200 + random() * 1500)
      order(world, pid, `descriptors ${ms}`)
      return thinkTime(ms + AFTERWARDS_MS)
    }
    case 'descriptors of the primary':
      return exhaustPrimary(world)
  }
}

async function untilGone(pid: number, quietMs = 8_000): Promise<void> {
  await until(() => !isAlive(pid), quietMs, `the end of ${pid}`)
}

export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** Lowers the primary's limit of descriptors for a while. */
async function exhaustPrimary({ balancer, random }: ChaosWorld): Promise<void> {
  const end = exhaustDescriptors(balancer.pid, Math.floor(random() * 4))
  try {
    await thinkTime(200 + random() * 1500)
  } finally {
    end()
  }
}

/** The worker injects the fault itself, in its next loop turn. */
function order({ folder }: ChaosWorld, pid: number, what: string): void {
  writeFileSync(join(folder, `${pid}`), what)
  signal(pid, 'SIGUSR2')
}

/** Sends a signal to a process that may have exited. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // It has exited already.
  }
}

export function workersOf({ pools }: BalancerStatus): WorkerStatus[] {
  return pools.flatMap(({ workers }) => workers)
}
