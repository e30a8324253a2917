// A balancer whose app opens the servers that a test lists. Each answers with its name and pid.

import type { BalancerConfig } from '../../../src/config/config.ts'
import { exchange, get, type Target } from './raw-client.ts'
import { type RunningBalancer, startBalancer } from './running-balancer.ts'

export interface ServerData {
  readonly name: string
  readonly kind?: 'http' | 'net'
  readonly listen: readonly unknown[]
}

export function configOf(servers: readonly ServerData[], changes: BalancerConfig = {}, workers = 2): BalancerConfig {
  const env = { SERVERS: JSON.stringify(servers) }
  return { app: 'servers-app.mjs', listen: undefined, pools: { web: { workers, env } }, ...changes }
}

export async function startServers(servers: readonly ServerData[], changes?: BalancerConfig, workers?: number): Promise<RunningBalancer> {
  const balancer = await startBalancer({ config: configOf(servers, changes, workers) })
  await balancer.untilAllReady()
  return balancer
}

/** Name and pid of the answering server. */
export async function said(target: Target, path = '/'): Promise<string> {
  return exchange(target, get(path)).then(
    ({ status, body }) => (status === 200 ? body.toString() : `status ${status}`),
    (error) => /ECONNREFUSED|ENOENT/.exec(error.message)?.[0] ?? error.message,
  )
}

export async function nameAt(target: Target): Promise<string> {
  return (await said(target)).split(' ')[0] as string
}
