// One contender in one scenario, once: started afresh, checked, warmed up, timed, stopped.

import { checkAnswers, type Questions } from './answers.ts'
import { type Contender, entrants } from './contenders.ts'
import { type CpuTimes, cpuTimes } from './cpu.ts'
import type { Load, LoadOutcome } from './loads.ts'
import { movesFault, movesOf } from './moves.ts'
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
  /** What the cost is counted for: requests, connections, or what else the scenario names. */
  readonly units: number
  readonly seconds: number
  /** User and system time of all server processes while the load ran. */
  readonly cpuMs: number
  /** The primary's part of it. */
  readonly primaryCpuMs: number
  /** The workers' parts, in order of their process ids. */
  readonly workerCpuMs: readonly number[]
}

/** All turns of a run: those who take part in a scenario take turns, and another one is first in each round. */
export function turnsOf(
  contenders: readonly Contender[],
  scenarios: readonly Scenario[],
  loads: readonly Load[],
  rounds: number,
): readonly Turn[] {
  const turns: Turn[] = []
  for (const load of loads) {
    for (const scenario of scenarios.filter((one) => load.can(one))) {
      const taking = entrants(contenders, scenario)
      for (let round = 1; round <= rounds; round += 1)
        for (const contender of inTurn(taking, round)) turns.push({ contender, scenario, load, round })
    }
  }
  return turns
}

/** The order of a round, counted from 1: another one is first in each. */
export function inTurn<T>(all: readonly T[], round: number): readonly T[] {
  const first = (round - 1) % all.length
  return [...all.slice(first), ...all.slice(0, first)]
}

/** Starts a contender, checks its answers and stops it. Rejects when something is wrong. */
export async function tryOut(contender: Contender, questions: Questions): Promise<void> {
  const server = await startServer(contender)
  try {
    await checkAnswers(contender, server, questions)
  } finally {
    await server.stop()
  }
}

/** Takes one turn. Rejects when a single request was not answered as it should be: then the whole run says nothing. */
export async function take({ contender, scenario, load, round }: Turn, seconds: number, warmUpSeconds: number): Promise<Sample> {
  const { name } = contender
  const fail = (why: string): never => {
    throw new Error(`${name}, ${scenario.name}, ${load.name}: ${why}`)
  }
  const server = await startServer(contender)
  try {
    await checkAnswers(contender, server, scenario)
    const run = async (duration: number): Promise<LoadOutcome> => {
      const outcome = await load.run(`http://127.0.0.1:${server.port}/`, scenario, duration)
      const faults = Object.entries(outcome.faults).map(([fault, count]) => `${fault}: ${count}`)
      if (faults.length > 0) fail(faults.join(', '))
      if (outcome.requests === 0) fail('no answers')
      return outcome
    }
    if (warmUpSeconds > 0) await run(warmUpSeconds)
    const [moved, before] = [await movesOf(server), cpuTimes(server.pid)]
    const { requests, seconds: took } = await run(seconds)
    const [after, movedThen] = [cpuTimes(server.pid), await movesOf(server)]
    if (moved !== undefined && movedThen !== undefined) {
      const fault = movesFault(scenario, requests, moved, movedThen)
      if (fault !== undefined) fail(fault)
    }
    const used = difference(name, before, after)
    const [primaryCpuMs = 0, ...workerCpuMs] = used
    const cpuMs = used.reduce((sum, one) => sum + one, 0)
    const units = requests / scenario.requestsPerUnit
    const cost = { requests, units, seconds: took, cpuMs, primaryCpuMs, workerCpuMs }
    return { load: load.name, scenario: scenario.name, contender: name, round, ...cost }
  } finally {
    await server.stop()
  }
}

function difference(name: string, before: CpuTimes, after: CpuTimes): number[] {
  if ([...before.keys()].join() !== [...after.keys()].join()) throw new Error(`${name}: a process came or went while it was timed`)
  return [...after].map(([pid, cpuMs]) => cpuMs - (before.get(pid) ?? 0))
}
