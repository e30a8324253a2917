// One contender in one scenario: started afresh, checked, warmed up, and timed in turns.

import { checkAnswers } from './answers.ts'
import type { Contender } from './contenders.ts'
import { type CpuTimes, cpuTimes, untilIdle } from './cpu.ts'
import type { Load, LoadOutcome } from './loads.ts'
import { movesFault, movesOf } from './moves.ts'
import { startObserved } from './observed.ts'
import { quantile } from './quantile.ts'
import type { Scenario } from './scenarios.ts'
import { type RunningServer, startServer } from './server.ts'

/** The measurements of one contender over all turns of a round. */
export interface Sample {
  readonly load: string
  readonly scenario: string
  readonly contender: string
  readonly round: number
  readonly requests: number
  /** The number of units of the scenario (requests, connections …) that the cost is divided by. */
  readonly units: number
  readonly seconds: number
  /** Latency at the 99th percentile: half of the turns have no more. */
  readonly p99Ms: number
  /** User and system time of all server processes while the load ran. */
  readonly cpuMs: number
  /** The primary's part of it. */
  readonly primaryCpuMs: number
  /** The workers' parts, in order of their process ids. */
  readonly workerCpuMs: readonly number[]
}

/** Adds up the measurements of all turns. */
export class Entrant {
  private readonly contender: Contender
  private readonly scenario: Scenario
  private readonly load: Load
  private readonly server: RunningServer
  private requests = 0
  private seconds = 0
  private readonly p99s: number[] = []
  private used: readonly number[] = []

  private constructor(contender: Contender, scenario: Scenario, load: Load, server: RunningServer) {
    this.contender = contender
    this.scenario = scenario
    this.load = load
    this.server = server
  }

  /** Starts a contender and checks its answers. Rejects when something is wrong. */
  static async start(contender: Contender, scenario: Scenario, load: Load): Promise<Entrant> {
    const server = await (contender.observers === undefined ? startServer(contender) : startObserved(contender))
    try {
      await checkAnswers(contender, server, scenario)
      return new Entrant(contender, scenario, load, server)
    } catch (error) {
      await server.stop()
      throw error
    }
  }

  /** Takes a turn that does not count. Rejects as `ask` does. */
  async run(seconds: number): Promise<void> {
    await this.ask(seconds)
    await this.settle()
  }

  /** Rejects when a single request is not answered correctly: then the whole run is invalid. */
  private async ask(seconds: number): Promise<LoadOutcome> {
    const [path] = this.scenario.groups.flat()
    const outcome = await this.load.run(`http://127.0.0.1:${this.server.port}${path}`, this.scenario, seconds)
    const faults = Object.entries(outcome.faults).map(([fault, count]) => `${fault}: ${count}`)
    if (faults.length > 0) this.fail(faults.join(', '))
    if (outcome.requests === 0) this.fail('no answers')
    return outcome
  }

  /** Takes a turn. Rejects as `ask` does, and when the requests did not move as they should. */
  async time(seconds: number): Promise<void> {
    const [moved, before] = [await movesOf(this.server), cpuTimes(this.server.pid)]
    const { requests, seconds: took, p99Ms } = await this.ask(seconds)
    const [after, movedThen] = [cpuTimes(this.server.pid), await movesOf(this.server)]
    if (moved !== undefined && movedThen !== undefined) {
      const fault = movesFault(this.scenario, requests, moved, movedThen)
      if (fault !== undefined) this.fail(fault)
    }
    this.requests += requests
    this.seconds += took
    this.p99s.push(p99Ms)
    this.used = this.difference(before, after).map((ms, process) => ms + (this.used[process] ?? 0))
    await this.settle()
  }

  /** Requests that were under way when a load ended must not run in the turn of another contender. */
  private async settle(): Promise<void> {
    if (this.scenario.saturates === true) await untilIdle(this.server.pid)
  }

  /** The measurements of all turns so far. */
  sample(round: number): Sample {
    const { load, scenario, contender, requests, seconds } = this
    const [primaryCpuMs = 0, ...workerCpuMs] = this.used
    const cpuMs = this.used.reduce((sum, one) => sum + one, 0)
    const cost = {
      requests,
      units: requests / scenario.requestsPerUnit,
      seconds,
      p99Ms: quantile(this.p99s, 0.5),
      cpuMs,
      primaryCpuMs,
      workerCpuMs,
    }
    return { load: load.name, scenario: scenario.name, contender: contender.name, round, ...cost }
  }

  stop(): Promise<void> {
    return this.server.stop()
  }

  private fail(why: string): never {
    throw new Error(`${this.contender.name}, ${this.scenario.name}, ${this.load.name}: ${why}`)
  }

  private difference(before: CpuTimes, after: CpuTimes): number[] {
    if ([...before.keys()].join() !== [...after.keys()].join()) this.fail('a process came or went while it was timed')
    return [...after].map(([pid, cpuMs]) => cpuMs - (before.get(pid) ?? 0))
  }
}
