// One contender in one scenario, once: started afresh, checked, warmed up, timed, stopped.

import { checkAnswers } from './answers.ts'
import type { Contender } from './contenders.ts'
import { type CpuTimes, cpuTimes } from './cpu.ts'
import type { Load, LoadOutcome } from './loads.ts'
import type { Scenario } from './scenarios.ts'
import { startServer } from './server.ts'

export interface Turn {
  readonly contender: Contender
  readonly scenario: Scenario
  readonly load: Load
  readonly round: number
}

/** What one turn has measured. */
export interface Sample {
  readonly load: string
  readonly scenario: string
  readonly contender: string
  readonly round: number
  readonly requests: number
  readonly seconds: number
  /** User and system time of all server processes while the load ran. */
  readonly cpuMs: number
  /** The primary's part of it. */
  readonly primaryCpuMs: number
  /** The workers' parts, in order of their process ids. */
  readonly workerCpuMs: readonly number[]
}

/** All turns of a run: contenders take turns, and another one is first in each round. */
export function turnsOf(
  contenders: readonly Contender[],
  scenarios: readonly Scenario[],
  loads: readonly Load[],
  rounds: number,
): readonly Turn[] {
  const turns: Turn[] = []
  for (const load of loads) {
    for (const scenario of scenarios) {
      for (let round = 1; round <= rounds; round += 1) {
        const first = (round - 1) % contenders.length
        const order = [...contenders.slice(first), ...contenders.slice(0, first)]
        for (const contender of order) turns.push({ contender, scenario, load, round })
      }
    }
  }
  return turns
}

/** Starts a contender, checks its answers and stops it. Rejects when something is wrong. */
export async function tryOut(contender: Contender): Promise<void> {
  const server = await startServer(contender)
  try {
    await checkAnswers(contender.name, server, contender.workers)
  } finally {
    await server.stop()
  }
}

/** Takes one turn. Rejects when a single request was not answered as it should be: then the whole run says nothing. */
export async function take({ contender, scenario, load, round }: Turn, seconds: number, warmUpSeconds: number): Promise<Sample> {
  const { name, workers } = contender
  const server = await startServer(contender)
  try {
    await checkAnswers(name, server, workers)
    const url = `http://127.0.0.1:${server.port}/`
    const run = async (duration: number): Promise<LoadOutcome> => {
      const outcome = await load.run(url, scenario, duration)
      const faults = Object.entries(outcome.faults).map(([fault, count]) => `${fault}: ${count}`)
      if (faults.length > 0) throw new Error(`${name}, ${scenario.name}, ${load.name}: ${faults.join(', ')}`)
      if (outcome.requests === 0) throw new Error(`${name}, ${scenario.name}, ${load.name}: no answers`)
      return outcome
    }
    if (warmUpSeconds > 0) await run(warmUpSeconds)
    const before = cpuTimes(server.pid)
    const { requests, seconds: took } = await run(seconds)
    const used = difference(name, before, cpuTimes(server.pid))
    const [primaryCpuMs = 0, ...workerCpuMs] = used
    const cpuMs = used.reduce((sum, one) => sum + one, 0)
    return { load: load.name, scenario: scenario.name, contender: name, round, requests, seconds: took, cpuMs, primaryCpuMs, workerCpuMs }
  } finally {
    await server.stop()
  }
}

function difference(name: string, before: CpuTimes, after: CpuTimes): number[] {
  if ([...before.keys()].join() !== [...after.keys()].join()) throw new Error(`${name}: a process came or went while it was timed`)
  return [...after].map(([pid, cpuMs]) => cpuMs - (before.get(pid) ?? 0))
}
