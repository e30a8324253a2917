// The mode `upstream`: proxies in front of the same two plain servers. What a request costs all of their processes, and how long it takes: with as many
// requests as a proxy can pass on, and at an even rate.

import { fileURLToPath } from 'node:url'
import { ask } from './ask.ts'
import type { Contender } from './contenders.ts'
import { cpuTimes, untilIdle } from './cpu.ts'
import { ableOf } from './installed.ts'
import type { Load } from './loads.ts'
import type { Scenario } from './scenarios.ts'
import { type RunningServer, startServer } from './server.ts'
import { generate } from './trace-turn.ts'
import { inTurn } from './turn.ts'

export interface UpstreamOptions {
  readonly contenders: readonly Contender[]
  readonly rounds: number
  readonly seconds: number
  readonly warmUpSeconds: number
  readonly load: Load
}

export interface UpstreamSample {
  readonly contender: string
  /** Counted from 1. */
  readonly round: number
  readonly requests: number
  readonly seconds: number
  /** Of all processes but the servers. */
  readonly cpuMs: number
  /** Latency with as many requests as the proxy can pass on. */
  readonly fullP99Ms: number
  /** Latency at the even rate, from when a request was due. */
  readonly evenP99Ms: number
  /** How late 99 % of the generator's requests were at most. */
  readonly lateP99Ms: number
}

export const UPSTREAM_CONNECTIONS = 32
/** Of the even rate. */
export const UPSTREAM_PER_SECOND = 1_000
const SERVERS = 2
const BODY = 'Hello world\n'
const WARM_REQUESTS = 60_000
const WARM_TURN_SECONDS = 2
const MAX_WARM_TURNS = 10
const ALL_SERVERS_MS = 10_000
const plain = fileURLToPath(new URL('../apps/plain-server.js', import.meta.url))

const scenario: Scenario = {
  name: 'upstream',
  unit: 'request',
  requestsPerUnit: 1,
  connections: UPSTREAM_CONNECTIONS,
  reconnect: false,
  groups: [['/']],
  order: 'any',
  bodyBytes: 0,
}

/** All contenders run together, and are measured in turn. Rejects when a single request is not answered correctly. */
export async function measureUpstream(options: UpstreamOptions, progress: (line: string) => void): Promise<readonly UpstreamSample[]> {
  const samples: UpstreamSample[] = []
  const running: RunningServer[] = []
  const start = async (server: Parameters<typeof startServer>[0]): Promise<RunningServer> => {
    const started = await startServer(server)
    running.push(started)
    return started
  }
  try {
    const servers: RunningServer[] = []
    for (let index = 0; index < SERVERS; index++) servers.push(await start({ name: `server ${index}`, args: [plain] }))
    const env = { SERVERS: servers.map(({ port }) => `127.0.0.1:${port}`).join(',') }
    const proxies = new Map<Contender, RunningServer>()
    for (const contender of ableOf(options.contenders, progress)) {
      const proxy = await start({ ...contender, env })
      progress(`checking the answers of ${contender.name}`)
      await checkProxy(contender.name, proxy, servers)
      proxies.set(contender, proxy)
    }
    for (const [{ name }, { port }] of proxies) {
      progress(`warming up ${name}`)
      await warmUp(port, options.load)
    }
    for (let round = 1; round <= options.rounds; round++) {
      for (const [contender, proxy] of inTurn([...proxies], round)) {
        const sample = { contender: contender.name, round, ...(await measureTurn(contender.name, proxy, round, options)) }
        samples.push(sample)
        progress(`round ${round}: ${contender.name} ${((sample.cpuMs * 1000) / sample.requests).toFixed(1)} µs`)
      }
    }
  } finally {
    await Promise.all(running.map((server) => server.stop()))
  }
  return samples
}

/** V8 compiles the code of a proxy within its first requests: how long that takes depends on the machine. */
async function warmUp(port: number, load: Load): Promise<void> {
  let requests = 0
  for (let turn = 0; turn < MAX_WARM_TURNS && requests < WARM_REQUESTS; turn++)
    requests += (await load.run(`http://127.0.0.1:${port}/`, scenario, WARM_TURN_SECONDS)).requests
}

/** Every answer must be right and come from one of the servers, and each server must answer. */
async function checkProxy(name: string, { port }: RunningServer, servers: readonly RunningServer[]): Promise<void> {
  const missing = new Set(servers.map(({ pid }) => String(pid)))
  const all = new Set(missing)
  const untilMs = performance.now() + ALL_SERVERS_MS
  while (missing.size > 0) {
    if (performance.now() > untilMs) throw new Error(`${name} sends no request to one of the servers`)
    const asked = Array.from({ length: 8 }, () => ask({ port, path: '/', agent: false }))
    for (const { response, body } of await Promise.all(asked)) {
      const worker = String(response.headers.worker)
      if (response.statusCode !== 200 || body !== BODY) throw new Error(`${name} answers ${response.statusCode} ${JSON.stringify(body)}`)
      if (!all.has(worker)) throw new Error(`${name} was answered by '${worker}', which is none of the servers`)
      missing.delete(worker)
    }
  }
}

async function measureTurn(
  name: string,
  { pid, port }: RunningServer,
  round: number,
  { load, seconds, warmUpSeconds }: UpstreamOptions,
): Promise<Omit<UpstreamSample, 'contender' | 'round'>> {
  const url = `http://127.0.0.1:${port}/`
  if (warmUpSeconds > 0) await load.run(url, scenario, warmUpSeconds)
  const before = sumOf(pid)
  const { requests, seconds: took, p99Ms, faults } = await load.run(url, scenario, seconds)
  await untilIdle(pid)
  const cpuMs = sumOf(pid) - before
  const streams = [{ name: 'even', path: '/', perSecond: UPSTREAM_PER_SECOND }]
  const task = { seed: round, seconds, warmUpSeconds: 0, connections: UPSTREAM_CONNECTIONS, reconnect: false, streams, openPath: '/' }
  const even = await generate(port, task)
  const [fault] = Object.keys({ ...faults, ...even.faults })
  if (fault !== undefined || requests === 0) throw new Error(`${name}: ${fault ?? 'no answers'}`)
  return { requests, seconds: took, cpuMs, fullP99Ms: p99Ms, evenP99Ms: even.all.p99Ms, lateP99Ms: even.lateP99Ms }
}

function sumOf(pid: number): number {
  return [...cpuTimes(pid).values()].reduce((sum, cpuMs) => sum + cpuMs, 0)
}
