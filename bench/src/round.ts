// One scenario, once: all who take part are there together, and are timed by turns of some seconds. A machine that is slower for a while is slower
// for each of them, so what they cost beside each other can be told to a few hundredths.

import { type Contender, entrants } from './contenders.ts'
import { Entrant, type Sample } from './entrant.ts'
import type { Load } from './loads.ts'
import type { Scenario } from './scenarios.ts'
import { turnsOf } from './turn.ts'

/** What a turn begins with, new connections for one thing, must not weigh. */
const LEAST_TURN_SECONDS = 2
/** It begins with as many requests at once as there are clients. */
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

/** Takes a round: each is started afresh, checked, warmed up for `warmUpSeconds`, and timed for `seconds`. Rejects when something is wrong with one. */
export async function takeRound(
  { contenders, scenario, load, round }: Round,
  seconds: number,
  warmUpSeconds: number,
): Promise<readonly Sample[]> {
  const all: Entrant[] = []
  const leastSeconds = scenario.saturates === true ? LEAST_SATURATED_SECONDS : LEAST_TURN_SECONDS
  try {
    for (const contender of contenders) all.push(await Entrant.start(contender, scenario, load))
    // By turns as well: a process that has nothing to do for 8 seconds cleans up, and is not as fast after it.
    if (warmUpSeconds > 0) for (const [entrant, turn] of turns(all, round, warmUpSeconds, leastSeconds)) await entrant.run(turn)
    for (const [entrant, turn] of turns(all, round, seconds, leastSeconds)) await entrant.time(turn)
    return all.map((entrant) => entrant.sample(round))
  } finally {
    await Promise.all(all.map((entrant) => entrant.stop()))
  }
}

/** Whose turn it is, and for how many seconds. */
function turns<T>(all: readonly T[], round: number, seconds: number, leastSeconds: number): [T, number][] {
  const each = Math.max(1, Math.floor(seconds / leastSeconds))
  return turnsOf(all, round, each).map((one) => [one, seconds / each])
}
