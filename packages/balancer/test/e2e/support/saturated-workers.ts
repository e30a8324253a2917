// Two workers that burn CPU, and what must be true of them when the clients have gone: nothing is on its way, every worker is free, and the counts add up.

import type { BalancerConfig } from '../../../src/config/config.ts'
import type { BalancerStatus, WorkerStatus } from '../../../src/status.ts'
import { type RunningBalancer, startBalancer } from './running-balancer.ts'

export interface BurningOptions {
  /** What is left out is as by default. */
  readonly policy?: BalancerConfig['policy']
  readonly queue?: { readonly limit?: number; readonly timeoutMs?: number }
  readonly more?: BalancerConfig
  readonly env?: Readonly<Record<string, string>>
}

/** Starts two workers of burning-app.mjs, and resolves when both are ready. */
export async function startBurning({ policy, queue, more, env = {} }: BurningOptions): Promise<RunningBalancer> {
  const pools = { web: { workers: 2, ...(queue && { queue }) } }
  const balancer = await startBalancer({ config: { app: 'burning-app.mjs', pools, policy, ...more } as BalancerConfig, env })
  await balancer.untilAllReady()
  return balancer
}

/** Resolves when all clients have gone and every worker is free to take the next connection: none is thought to be on its way to it. */
export function untilFree(balancer: RunningBalancer): Promise<BalancerStatus> {
  return balancer.untilStatus(
    ({ connections: { waiting }, pools }) =>
      Object.values(waiting).every((count) => count === 0) &&
      pools.every(({ workers }) => workers.every(({ load }) => load.isFree && load.inFlight === 0 && load.connections === 0)),
    'every worker free and nobody waiting',
    30_000,
  )
}

/** The same, when they have begun at least so many requests since their start: a worker may report that a moment later. */
export async function untilBegun(balancer: RunningBalancer, requests: number): Promise<BalancerStatus> {
  await untilFree(balancer)
  return balancer.untilStatus((status) => sumOf(begunOf(status)) >= requests, `${requests} requests begun`)
}

/** Requests that each worker has begun. */
export function begunOf(status: BalancerStatus): number[] {
  return workersOf(status).map(({ begun }) => begun)
}

/**
 * What is not as it should be when every request has been answered: connections that were refused, or closed by the client before a worker had them.
 * `hangUps`: clients have closed some of their own accord, idle or waiting.
 */
export function faultsOf({ connections: { refused, closed }, pools }: BalancerStatus, hangUps = false): string[] {
  return [
    ...Object.entries(refused).map(([reason, count]) => [`refused, ${reason}`, count] as const),
    ...(hangUps ? [] : [['closed', closed] as const]),
    ...pools.map(({ boardFaults }) => ['faults of the board', boardFaults] as const),
  ].flatMap(([what, count]) => (count === 0 ? [] : [`${count} ${what}`]))
}

export function workersOf({ pools }: BalancerStatus): WorkerStatus[] {
  return pools.flatMap(({ workers }) => workers)
}

export function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, one) => sum + one, 0)
}
