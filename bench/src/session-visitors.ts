// Visitors with a session each. Their answers are checked before anything is timed.

import { Agent } from 'node:http'
import { ask } from './ask.ts'
import type { SessionContender } from './contenders.ts'
import type { RedisServer } from './redis-server.ts'
import type { RunningServer } from './server.ts'
import { VISITORS } from './session-scenarios.ts'

interface Answer {
  readonly count: number
  readonly worker: string
  readonly cookie: string | undefined
}

/** A write of another worker is seen within this time, unless the contender has a time of its own. */
const KNOWN_MS = 10_000
const AT_ONCE = 16
const ALL_WORKERS_MS = 5_000
const NEAR_READS = 50
/** On a slow machine the check may outlast the entries of the near cache. */
const NEAR_TRIES = 3

/** Creates a session for each visitor; resolves with their cookies. */
export async function arrive(server: RunningServer): Promise<readonly string[]> {
  const cookies: string[] = []
  for (let visitor = 1; visitor <= VISITORS; visitor++) {
    const { cookie } = await askAs(server.port, `/read-write/${visitor}`, undefined, false)
    if (cookie === undefined) throw new Error(`visitor ${visitor} is given no cookie`)
    cookies.push(cookie)
  }
  return cookies
}

/** The sum of the counts in the visitors' sessions: `least` or more, or the sum after a while if it stays below. */
export async function countsOf(server: RunningServer, cookies: readonly string[], least = 0, knownMs = KNOWN_MS): Promise<number> {
  const deadline = performance.now() + knownMs
  for (;;) {
    let sum = 0
    for (const [index, cookie] of cookies.entries()) sum += (await askAs(server.port, `/read/${index + 1}`, cookie, false)).count
    if (sum >= least || performance.now() > deadline) return sum
  }
}

/** Rejects with the first fault. */
export async function checkSessions(
  { name, workers, keepsNear }: Pick<SessionContender, 'name' | 'workers' | 'keepsNear'>,
  server: RunningServer,
  redis: RedisServer | undefined,
): Promise<void> {
  const expect = (what: string, found: number, right: number): void => {
    if (found !== right) throw new Error(`${name} answers ${found} to ${what} where ${right} is right`)
  }
  const { cookie, count } = await askAs(server.port, '/read-write/1', undefined, false)
  expect('a new visitor', count, 1)
  expect('a visitor without a session', (await askAs(server.port, '/read/1', undefined, false)).count, 0)
  const agents = await ofEachWorker(name, workers, server, cookie)
  try {
    let written = count
    for (const agent of [...agents, ...agents, ...agents]) {
      // Another worker has written, and this one may have read before.
      await untilCount(name, written, () => askAs(server.port, '/read/1', cookie, agent))
      written += 1
      expect('a write', (await askAs(server.port, '/read-write/1', cookie, agent)).count, written)
      expect('a read after it', (await askAs(server.port, '/read/1', cookie, agent)).count, written)
    }
    const [first] = agents as [Agent]
    if (keepsNear === true && redis !== undefined) await checkNearReads(name, redis, () => askAs(server.port, '/read/1', cookie, first))
  } finally {
    for (const agent of agents) agent.destroy()
  }
}

/** A kept-alive connection to each worker. */
async function ofEachWorker(name: string, workers: number, server: RunningServer, cookie: string | undefined): Promise<readonly Agent[]> {
  const found = new Map<string, Agent>()
  const deadline = performance.now() + ALL_WORKERS_MS
  while (found.size < workers) {
    if (performance.now() > deadline) throw new Error(`${name} has ${workers} workers, and ${found.size} answered`)
    // One after the other, all might reach the same worker.
    const some = Array.from({ length: AT_ONCE }, () => new Agent({ keepAlive: true, maxSockets: 1 }))
    const answers = await Promise.all(some.map((agent) => askAs(server.port, '/read/1', cookie, agent)))
    for (const [index, agent] of some.entries()) {
      const { worker } = answers[index] as Answer
      if (found.has(worker)) agent.destroy()
      else found.set(worker, agent)
    }
  }
  return [...found.values()]
}

async function checkNearReads(name: string, redis: RedisServer, read: () => Promise<Answer>): Promise<void> {
  let least = Number.POSITIVE_INFINITY
  for (let attempt = 0; attempt < NEAR_TRIES && least > 0; attempt++) {
    await read()
    const before = await redis.roundTrips()
    for (let turn = 0; turn < NEAR_READS; turn++) await read()
    least = Math.min(least, (await redis.roundTrips()) - before)
  }
  if (least > 0) throw new Error(`${name} asks Redis ${least} times when what was just read is read ${NEAR_READS} times more`)
}

async function untilCount(name: string, right: number, read: () => Promise<Answer>): Promise<void> {
  const deadline = performance.now() + KNOWN_MS
  for (;;) {
    const { count } = await read()
    if (count === right) return
    if (performance.now() > deadline) throw new Error(`${name} answers ${count} where another worker has written ${right}`)
  }
}

async function askAs(port: number, path: string, cookie: string | undefined, agent: Agent | false): Promise<Answer> {
  const { response, body } = await ask({ port, path, agent, headers: cookie === undefined ? {} : { cookie } })
  if (response.statusCode !== 200) throw new Error(`${path} is answered ${response.statusCode} ${body}`)
  const [given] = response.headers['set-cookie'] ?? []
  return { count: Number(body), worker: `${response.headers.worker}`, cookie: given?.split(';')[0] }
}
