// Checks a contender before anything is timed: does the right process answer correctly, on new connections and on kept-alive ones?

import { Agent } from 'node:http'
import { poolOf } from '../apps/pool-of.js'
import { ask } from './ask.ts'
import { type Answer, askTogether } from './ask-together.ts'
import type { Contender } from './contenders.ts'
import { cpuTimes } from './cpu.ts'
import type { Scenario } from './scenarios.ts'
import type { RunningServer } from './server.ts'

const BODY = 'Hello world\n'
const AT_ONCE = 32
const REQUEST_MS = 5_000
const ALL_WORKERS_MS = 5_000

/** The parts of a scenario that an answer depends on. */
export type Questions = Pick<Scenario, 'groups' | 'order' | 'bodyBytes'>

/** Rejects with the first fault. */
export async function checkAnswers(
  contender: Pick<Contender, 'name' | 'workers' | 'allWorkersMs' | 'routed'>,
  server: RunningServer,
  questions: Questions,
): Promise<void> {
  const { name, workers, allWorkersMs = ALL_WORKERS_MS } = contender
  const { groups, order, bodyBytes } = questions
  const paths = groups.flat()
  const seen = new Set<string>()
  const judge = (path: string, { status, body, pool, worker }: Answer): void => {
    if (status !== 200) throw new Error(`${name} answers ${status}`)
    if (body !== BODY) throw new Error(`${name} answers ${JSON.stringify(body)} where ${JSON.stringify(BODY)} is right`)
    if (contender.routed === true && pool !== poolOf(path)) throw new Error(`${name} has ${path} answered by pool '${pool}'`)
    seen.add(worker ?? '')
  }

  // On one connection all paths are later requests of one another.
  const kept = new Agent({ keepAlive: true, maxSockets: 1 })
  try {
    for (const [index, path] of [...paths, ...paths].entries()) {
      const { onKeptConnection, ...answer } = await askOne(server.port, path, bodyBytes, kept)
      judge(path, answer)
      if (onKeptConnection !== index > 0) throw new Error(`${name} does not keep connections`)
    }
  } finally {
    kept.destroy()
  }

  if (order === 'together') {
    for (const group of groups)
      for (const [index, answer] of (await askTogether(server.port, [...group, ...group], bodyBytes, REQUEST_MS)).entries())
        judge(group[index % group.length] as string, answer)
  }

  const deadline = performance.now() + allWorkersMs
  // The kernel shares a listening socket unevenly: a few requests at once reach every worker.
  while (seen.size < workers) {
    if (performance.now() > deadline) throw new Error(`${name} has ${workers} workers, and ${seen.size} answered`)
    const some = Array.from({ length: AT_ONCE }, (_, index) => paths[index % paths.length] as string)
    for (const [index, answer] of (await Promise.all(some.map((path) => askOne(server.port, path, bodyBytes, false)))).entries())
      judge(some[index] as string, answer)
  }
  const below = new Set([...cpuTimes(server.pid).keys()].map(String))
  for (const worker of seen) if (!below.has(worker)) throw new Error(`${name} was answered by '${worker}', which is none of its processes`)
}

async function askOne(
  port: number,
  path: string,
  bodyBytes: number,
  agent: Agent | false,
): Promise<Answer & { readonly onKeptConnection: boolean }> {
  const method = bodyBytes > 0 ? 'POST' : 'GET'
  const { response, body, onKeptConnection } = await ask({ port, path, method, agent }, bodyBytes > 0 ? 'x'.repeat(bodyBytes) : undefined)
  const { statusCode = 0, headers } = response
  return { status: statusCode, body, worker: headers.worker?.toString(), pool: headers.pool?.toString(), onKeptConnection }
}
