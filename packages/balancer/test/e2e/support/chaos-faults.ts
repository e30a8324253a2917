// What goes wrong in chaos, and in which moment of a worker's life: each fault hits one process, each moment finds one.

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
  /** Where a worker reads what it shall do to itself. */
  readonly folder: string
  /** The longest busy loop. */
  readonly longestBusyMs: number
}

/** A process in that moment. `over`: when what was under way there has been answered, or has not. */
export interface Victim {
  readonly pid: number
  readonly over: Promise<void>
}

/** Long enough that what follows comes into it. */
const UNDER_WAY_MS = 600
const AFTERWARDS_MS = 300

/** Finds, or makes, a worker in that moment; undefined: it was over too soon, or nobody may be hit now. `mayHit`: who may. */
export async function findVictim(world: ChaosWorld, moment: Moment, mayHit: (pid: number) => boolean): Promise<Victim | undefined> {
  const { asked, balancer, begun, random } = world
  if (moment === 'before hand-off') {
    const ready = workersOf(await balancer.status()).filter(({ pid, state }) => state === 'ready' && mayHit(pid))
    const worker = ready[Math.floor(random() * ready.length)]
    return worker && { pid: worker.pid, over: Promise.resolve() }
  }
  const visitor = new ChaosClient(world)
  const name = asked.name('victim')
  const over = underWay(visitor, moment, name).finally(() => visitor.end())
  const pid = await until(() => begun.pidOf(name), patience(2_000), name).catch(() => undefined)
  if (moment === 'on its way') {
    // While its loop is blocked.
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

/** Does it. Resolves when it is over: the process is gone, or goes on as before. */
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

/** For a while it gets not one more than it has. */
async function exhaustPrimary({ balancer, random }: ChaosWorld): Promise<void> {
  const end = exhaustDescriptors(balancer.pid, Math.floor(random() * 4))
  try {
    await thinkTime(200 + random() * 1500)
  } finally {
    end()
  }
}

/** It does it itself, between two turns of its loop. */
function order({ folder }: ChaosWorld, pid: number, what: string): void {
  writeFileSync(join(folder, `${pid}`), what)
  signal(pid, 'SIGUSR2')
}

/** Sends a signal to a process that may be gone. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // It is gone already.
  }
}

export function workersOf({ pools }: BalancerStatus): WorkerStatus[] {
  return pools.flatMap(({ workers }) => workers)
}
