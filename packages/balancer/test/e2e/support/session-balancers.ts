// Balancers whose workers share sessions, in the primary or in Redis, with clients connected to all workers.

import { patience } from '../../../../../test/support/patience.ts'
import { until } from '../../../../../test/support/until.ts'
import { type RunningBalancer, startBalancer, warningsOf } from './running-balancer.ts'
import { SessionClient } from './session-client.ts'

export interface SessionPlace {
  /** A fixture. */
  readonly app: string
  /** The URL of Redis; undefined: sessions are in the memory of the primary. */
  readonly url: string | undefined
  readonly balancers: number
}

/** The stores to test, each with a number of balancers. */
export const placesOfSessions = [
  { name: 'the embedded store', inRedis: false, balancers: 1 },
  { name: 'Redis', inRedis: true, balancers: 1 },
  { name: 'Redis, at two balancers', inRedis: true, balancers: 2 },
] as const

/** Workers of all balancers. */
const WORKERS = 4
/** A slow machine must not make commands time out. */
const COMMAND_MS = patience(2_000)

export class SessionBalancers {
  readonly clients: readonly SessionClient[]
  private readonly running: readonly RunningBalancer[]

  private constructor(running: readonly RunningBalancer[], clients: number) {
    const ports = running.map(({ port }) => port)
    this.running = running
    this.clients = Array.from({ length: clients }, (_, index) => new SessionClient(ports[index % ports.length] as number))
  }

  /** Starts balancers and clients. Each client has one connection; they are distributed evenly over the balancers and their workers. */
  static async start({ app, url, balancers }: SessionPlace, clients: number): Promise<SessionBalancers> {
    const config = {
      app,
      policy: 'round-robin' as const,
      pools: { web: { workers: WORKERS / balancers, rest: 'never' as const } },
      secret: 'a secret that all of them know',
      sessions: { ...(url !== undefined && { url }), commandTimeoutMs: COMMAND_MS },
    }
    const running = await Promise.all(Array.from({ length: balancers }, () => startBalancer({ config })))
    await Promise.all(running.map((one) => one.untilAllReady()))
    await Promise.all(running.map(({ port }) => untilAllAnswer(port, WORKERS / balancers)))
    return new SessionBalancers(running, clients)
  }

  readonly workers = WORKERS

  /** One client for each worker. */
  async ofEachWorker(): Promise<readonly SessionClient[]> {
    const found = new Map<number, SessionClient>()
    for (const client of this.clients) found.set((await client.ask('/read')).pid, client)
    if (found.size !== this.workers) throw new Error(`there are ${this.workers} workers, and ${found.size} have clients`)
    return [...found.values()]
  }

  /** Sessions in the store. */
  async stored(): Promise<number> {
    return (await (this.clients[0] as SessionClient).ask('/stored')).count ?? 0
  }

  /** Stops everything. Resolves with warnings of the log and exit codes other than 0. */
  async stop(): Promise<readonly string[]> {
    for (const client of this.clients) client.close()
    const codes = await Promise.all(this.running.map((one) => one.stop()))
    const warnings = this.running.flatMap((one) => warningsOf(one).map(({ msg }) => `it warns: ${msg}`))
    return [...warnings, ...codes.filter((code) => code !== 0).map((code) => `a balancer ended with ${code}`)]
  }
}

/**
 * Resolves when each worker of this balancer has answered. A new worker is slow with its first connection, and meanwhile others would get the connections of the
 * test.
 */
async function untilAllAnswer(port: number, workers: number): Promise<void> {
  const seen = new Set<number>()
  await until(
    async () => {
      const client = new SessionClient(port)
      seen.add((await client.ask('/read')).pid)
      client.close()
      return seen.size === workers
    },
    10_000,
    'an answer of each worker',
  )
}
