// Two workers that burn CPU, and checks after the clients have gone: no connection is under way, every worker is free, and the counts add up.

import type { BalancerConfig } from '../../../src/config/config.ts'
import type { BalancerStatus, WorkerStatus } from '../../../src/status.ts'
import { type RunningBalancer, startBalancer } from './running-balancer.ts'

export interface BurningOptions {
  /** Left out: the default. */
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

/** Resolves when no connection is left and every worker counts as free. */
export function untilFree(balancer: RunningBalancer): Promise<BalancerStatus> {
  return balancer.untilStatus(
    ({ connections: { waiting }, pools }) =>
      Object.values(waiting).every((count) => count === 0) &&
      pools.every(({ workers }) => workers.every(({ load }) => load.isFree && load.inFlight === 0 && load.connections === 0)),
    'every worker free and no waiting connection',
    30_000,
  )
}

/** The same, when the workers have reported at least this many started requests. */
export async function untilBegun(balancer: RunningBalancer, requests: number): Promise<BalancerStatus> {
  await untilFree(balancer)
  return balancer.untilStatus((status) => sumOf(begunOf(status)) >= requests, `${requests} requests begun`)
}

/** Requests that each worker has started. */
export function begunOf(status: BalancerStatus): number[] {
  return workersOf(status).map(({ begun }) => begun)
}

/**
 * Failures after a run in which every request was answered: connections that were refused, or closed by the client before a worker had them.
 * `hangUps`: clients have hung up on purpose, so closed connections are no failure.
 */
export function faultsOf({ connections: { refused, closed }, pools }: BalancerStatus, hangUps = false): string[] {
  return [
    ...Object.entries(refused).map(([reason, count]) => [`refused, ${reason}`, count] as const),
    ...(hangUps ? [] : [['closed', closed] as const]),
    ...pools.map(({ boardFaults }) => ['impossible load values', boardFaults] as const),
  ].flatMap(([what, count]) => (count === 0 ? [] : [`${count} ${what}`]))
}

export function workersOf({ pools }: BalancerStatus): WorkerStatus[] {
  return pools.flatMap(({ workers }) => workers)
}

export function sumOf(numbers: readonly number[]): number {
  return numbers.reduce((sum, one) => sum + one, 0)
}
