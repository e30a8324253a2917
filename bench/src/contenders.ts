// Who takes part, as data. All run the same app, on a port of their own, with the same number of workers.

import { fileURLToPath } from 'node:url'

export interface Contender {
  readonly name: string
  /** Arguments of `node`. It listens on the port in PORT, 0 for any, and prints `ready: http://127.0.0.1:<port>` when it does. */
  readonly args: readonly string[]
  /** How many processes must be seen to answer before anything is timed. */
  readonly workers: number
}

const WORKERS = 2

const fromHere = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
const app = fromHere('../apps/hello.js')
const clusterPrimary = fromHere('../apps/cluster-primary.js')
const balancer = fromHere('../../packages/balancer/bin/balancer.js')

export const contenders: readonly Contender[] = [
  // The kernel shares the listening socket: the least that several processes can cost.
  { name: 'SCHED_NONE', args: [clusterPrimary, 'none', `${WORKERS}`, app], workers: WORKERS },
  { name: 'node:cluster', args: [clusterPrimary, 'rr', `${WORKERS}`, app], workers: WORKERS },
  // As a user starts it, without a config; the admin page is there too.
  {
    name: 'switchyard',
    args: [
      ...[balancer, 'start', app, '-i', `${WORKERS}`, '--listen', '127.0.0.1:0'],
      ...['--admin', '127.0.0.1:0', '--log-level', 'info', '--no-pretty'],
    ],
    workers: WORKERS,
  },
]

/** Those that the others are compared with, each with its column in the table. */
export const references: readonly { readonly contender: string; readonly column: string }[] = [
  { contender: 'SCHED_NONE', column: '× SCHED_NONE' },
  { contender: 'node:cluster', column: '× round robin' },
]
