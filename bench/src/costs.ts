// The timed run: checks the contenders, then times them in rounds.

import { type Contender, entrants } from './contenders.ts'
import { Entrant, type Sample } from './entrant.ts'
import { ableOf } from './installed.ts'
import type { Load } from './loads.ts'
import type { Options } from './options.ts'
import { roundsOf, takeRound } from './round.ts'
import type { Scenario } from './scenarios.ts'

export interface Costs {
  readonly samples: readonly Sample[]
  /** The contenders that were measured. */
  readonly scenarios: readonly Scenario[]
  /** Their names, each once. */
  readonly contenders: readonly string[]
}

export type CostOptions = Pick<Options, 'loads' | 'rounds' | 'seconds' | 'warmUpSeconds' | 'contenders' | 'scenarios' | 'trial'>

/**
 * Measures what the options ask for. Rejects when a single request is answered wrongly. `progress` gets a line for each step, and for each
 * contender that cannot run; `textOf`: the line of a measured contender.
 */
export async function measureCosts(
  options: CostOptions,
  progress: (line: string) => void,
  textOf: (sample: Sample, scenario: Scenario) => string = costText,
): Promise<Costs> {
  const { loads, rounds, seconds, warmUpSeconds } = options
  const contenders = ableOf(options.contenders, progress)
  const scenarios = options.scenarios.filter((scenario) => entrants(contenders, scenario).length > 0)
  for (const load of loads)
    for (const scenario of scenarios) if (!load.can(scenario)) progress(`${load.name} can't ask what '${scenario.name}' asks: left out`)
  if (options.trial) await tryAll(contenders, scenarios, loads[0] as Load, progress)

  const samples: Sample[] = []
  const all = roundsOf(contenders, scenarios, loads, rounds)
  for (const [index, round] of all.entries()) {
    const { scenario, load } = round
    progress(`${index + 1}/${all.length}  ${load.name}  ${scenario.name}  round ${round.round}`)
    for (const sample of await takeRound(round, seconds, warmUpSeconds)) {
      samples.push(sample)
      progress(`  ${sample.contender}  ${textOf(sample, scenario)}`)
    }
  }
  if (samples.length === 0) throw new Error('there was nothing to measure')
  return { samples, scenarios, contenders: [...new Set(contenders.map(({ name }) => name))] }
}

function costText({ cpuMs, units }: Sample, { unit }: Scenario): string {
  return `${((cpuMs * 1000) / units).toFixed(1)} µs per ${unit}`
}

/** Checks all contenders before anything is timed: a fault of the last one should show at once. */
async function tryAll(
  contenders: readonly Contender[],
  scenarios: readonly Scenario[],
  load: Load,
  progress: (line: string) => void,
): Promise<void> {
  const tried = new Map<Contender, Scenario['groups']>()
  for (const scenario of scenarios) {
    for (const contender of entrants(contenders, scenario)) {
      // The same questions as in another scenario.
      if (tried.get(contender) === scenario.groups) continue
      tried.set(contender, scenario.groups)
      progress(`checking the answers of ${contender.name}: ${scenario.name}`)
      const entrant = await Entrant.start(contender, scenario, load)
      await entrant.stop()
    }
  }
}
