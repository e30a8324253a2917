// Measures contenders that run together, one after another, in several rounds.

import type { Contender } from './contenders.ts'
import type { RunningServer } from './server.ts'
import { inTurn } from './turn.ts'

export interface RoundsOptions<Scenario, Sample> {
  readonly contenders: readonly Contender[]
  readonly rounds: number
  readonly scenarios: readonly Scenario[]
  /** Starts a contender of a round. */
  readonly start: (contender: Contender) => Promise<RunningServer>
  /** Rounds are counted from 1. */
  readonly measure: (contender: Contender, server: RunningServer, scenario: Scenario, round: number) => Promise<Sample>
}

/** Each scenario in each round: the contenders run together and are measured in turn. Rejects when a start or a measurement does; then none runs any more. */
export async function measureRounds<
  Scenario extends { readonly name: string },
  Sample extends { readonly cpuMs: number; readonly units: number },
>({ contenders, rounds, scenarios, start, measure }: RoundsOptions<Scenario, Sample>, progress: (line: string) => void): Promise<Sample[]> {
  const samples: Sample[] = []
  for (let round = 1; round <= rounds; round++) {
    const servers = new Map<Contender, RunningServer>()
    try {
      for (const contender of contenders) servers.set(contender, await start(contender))
      for (const scenario of scenarios) {
        for (const contender of inTurn(contenders, round)) {
          const sample = await measure(contender, servers.get(contender) as RunningServer, scenario, round)
          samples.push(sample)
          progress(`round ${round}: ${scenario.name}, ${contender.name} ${((sample.cpuMs * 1000) / sample.units).toFixed(1)} µs`)
        }
      }
    } finally {
      await Promise.all([...servers.values()].map((server) => server.stop()))
    }
  }
  return samples
}
