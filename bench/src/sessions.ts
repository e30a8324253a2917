// npm run bench -- --sessions: the cost of a request that reads a session, or reads and writes it, by where the session is kept.

import type { SessionContender } from './contenders.ts'
import { cpuTimes } from './cpu.ts'
import { ableOf } from './installed.ts'
import type { Load, LoadOutcome } from './loads.ts'
import { type RedisServer, startRedis } from './redis-server.ts'
import { type RunningServer, startServer } from './server.ts'
import type { SessionScenario } from './session-scenarios.ts'
import { arrive, checkSessions, countsOf } from './session-visitors.ts'
import { inTurn } from './turn.ts'

export interface SessionOptions {
  readonly contenders: readonly SessionContender[]
  readonly scenarios: readonly SessionScenario[]
  readonly seconds: number
  readonly warmUpSeconds: number
  readonly rounds: number
  readonly load: Load
  /** All contenders are checked before the first round. */
  readonly trial: boolean
}

/** The measurements of one turn. */
export interface SessionSample {
  readonly load: string
  readonly scenario: string
  readonly contender: string
  readonly round: number
  readonly requests: number
  readonly seconds: number
  /** User and system time of the balancer and its workers while the load ran. */
  readonly cpuMs: number
  /** Of Redis; undefined: there is none. */
  readonly redisCpuMs: number | undefined
  /** Commands that Redis received; undefined: there is none. */
  readonly roundTrips: number | undefined
}

/** Measures what the options ask for. Rejects when a single request is not answered correctly, or a write is missing. */
export async function measureSessions(options: SessionOptions, progress: (line: string) => void): Promise<readonly SessionSample[]> {
  const { scenarios, rounds } = options
  const contenders = ableOf(options.contenders, progress)
  // A fault of the last contender should show at once.
  for (const contender of options.trial ? contenders : []) {
    progress(`checking the answers of ${contender.name}`)
    await withServer(contender, (server, redis) => checkSessions(contender, server, redis))
  }
  const samples: SessionSample[] = []
  const count = scenarios.length * rounds * contenders.length
  for (const scenario of scenarios) {
    for (let round = 1; round <= rounds; round += 1) {
      for (const contender of inTurn(contenders, round)) {
        const sample = await measureTurn(contender, scenario, round, options)
        samples.push(sample)
        const cost = `${((sample.cpuMs * 1000) / sample.requests).toFixed(1)} µs, ${Math.round(sample.requests / sample.seconds)} requests/s`
        progress(`${samples.length}/${count}  ${scenario.name}  round ${round}  ${contender.name}  ${cost}`)
      }
    }
  }
  return samples
}

/** Started afresh, checked, warmed up, timed, stopped. */
function measureTurn(
  contender: SessionContender,
  scenario: SessionScenario,
  round: number,
  options: SessionOptions,
): Promise<SessionSample> {
  const { load, seconds, warmUpSeconds } = options
  const { name } = contender
  const fail = (why: string): never => {
    throw new Error(`${name}, ${scenario.name}, ${load.name}: ${why}`)
  }
  return withServer(contender, async (server, redis) => {
    await checkSessions(contender, server, redis)
    const cookies = await arrive(server)
    const run = async (duration: number): Promise<LoadOutcome> => {
      const outcome = await load.visit(`http://127.0.0.1:${server.port}/`, scenario.path, cookies, duration)
      const faults = Object.entries(outcome.faults).map(([fault, count]) => `${fault}: ${count}`)
      if (faults.length > 0) fail(faults.join(', '))
      if (outcome.requests === 0) fail('no answers')
      return outcome
    }
    if (warmUpSeconds > 0) await run(warmUpSeconds)
    const counted = await countsOf(server, cookies)
    const before = await costOf(server, redis)
    const { requests, seconds: took } = await run(seconds)
    const after = await costOf(server, redis)
    // Each connection may have a request under way when time is up, and when the warm-up ends.
    const [least, most] = scenario.writes ? [requests, requests + 2 * cookies.length] : [0, 0]
    const written = (await countsOf(server, cookies, counted + least, contender.knownMs)) - counted
    if (written < least || written > most) fail(`of ${requests} requests ${written} writes are there`)
    return {
      ...{ load: load.name, scenario: scenario.name, contender: name, round, requests, seconds: took },
      cpuMs: after.cpuMs - before.cpuMs,
      redisCpuMs: redis && after.redisCpuMs - before.redisCpuMs,
      roundTrips: redis && after.roundTrips - before.roundTrips,
    }
  })
}

async function withServer<T>(
  contender: SessionContender,
  body: (server: RunningServer, redis: RedisServer | undefined) => Promise<T>,
): Promise<T> {
  const redis = contender.usesRedis ? await startRedis() : undefined
  try {
    const server = await startServer({ ...contender, env: { ...contender.env, STORE_URL: redis?.url ?? '', REDIS_URL: '' } })
    try {
      return await body(server, redis)
    } finally {
      await server.stop()
    }
  } finally {
    await redis?.stop()
  }
}

async function costOf(server: RunningServer, redis: RedisServer | undefined) {
  const sum = (pid: number): number => [...cpuTimes(pid).values()].reduce((total, one) => total + one, 0)
  const roundTrips = (await redis?.roundTrips()) ?? 0
  return { cpuMs: sum(server.pid), redisCpuMs: redis === undefined ? 0 : sum(redis.pid), roundTrips }
}
