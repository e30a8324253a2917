// One scenario, once: all contenders are alive together, and are timed in turns of some seconds. A slow phase of the machine affects each
// of them, so their relative costs are exact to a few hundredths.

import { type Contender, entrants } from './contenders.ts'
import { Entrant, type Sample } from './entrant.ts'
import type { Load } from './loads.ts'
import type { Scenario } from './scenarios.ts'
import { turnsOf } from './turn.ts'

/** The start of a turn, for instance its new connections, must not weigh. */
const LEAST_TURN_SECONDS = 2
/** A turn starts with as many requests at once as there are clients. */
const LEAST_SATURATED_SECONDS = 4

export interface Round {
  readonly contenders: readonly Contender[]
  readonly scenario: Scenario
  readonly load: Load
  /** Counted from 1. */
  readonly round: number
}

/** All rounds of a run. */
export function roundsOf(
  contenders: readonly Contender[],
  scenarios: readonly Scenario[],
  loads: readonly Load[],
  rounds: number,
): readonly Round[] {
  return loads.flatMap((load) =>
    scenarios
      .filter((scenario) => load.can(scenario))
      .flatMap((scenario) =>
        Array.from({ length: rounds }, (_, index) => ({ contenders: entrants(contenders, scenario), scenario, load, round: index + 1 })),
      ),
  )
}

/**
 * Takes a round: starts all contenders afresh, checks them, warms them up for `warmUpSeconds`, and times each for `seconds`. Rejects at the
 * first fault.
 */
export async function takeRound(
  { contenders, scenario, load, round }: Round,
  seconds: number,
  warmUpSeconds: number,
): Promise<readonly Sample[]> {
  const all: Entrant[] = []
  const leastSeconds = scenario.saturates === true ? LEAST_SATURATED_SECONDS : LEAST_TURN_SECONDS
  try {
    for (const contender of contenders) all.push(await Entrant.start(contender, scenario, load))
    // The warm-up goes in turns as well: a process that is idle for 8 seconds cleans up, and is slower after it.
    if (warmUpSeconds > 0) for (const [entrant, turn] of turns(all, round, warmUpSeconds, leastSeconds)) await entrant.run(turn)
    for (const [entrant, turn] of turns(all, round, seconds, leastSeconds)) await entrant.time(turn)
    return all.map((entrant) => entrant.sample(round))
  } finally {
    await Promise.all(all.map((entrant) => entrant.stop()))
  }
}

/** The turns of a round: a contender and its seconds. */
function turns<T>(all: readonly T[], round: number, seconds: number, leastSeconds: number): [T, number][] {
  const each = Math.max(1, Math.floor(seconds / leastSeconds))
  return turnsOf(all, round, each).map((one) => [one, seconds / each])
}
