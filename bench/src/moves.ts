// Checks that a balancer that steers has moved what the scenario is about. A connection that should move and stayed would give a good but
// wrong figure.

import type { Moves, Scenario } from './scenarios.ts'
import type { RunningServer } from './server.ts'

const STATUS_MS = 5_000
/** Of all requests: a client and its server may disagree on the last ones. */
const TOLERANCE = 0.01

interface Status {
  readonly moves?: Readonly<Record<keyof Moves, readonly { readonly count: number }[]>>
}

/** Moves so far; undefined: this server does not report them. */
export async function movesOf({ adminUrl }: RunningServer): Promise<Moves | undefined> {
  if (adminUrl === undefined) return undefined
  const { moves } = (await (await fetch(`${adminUrl}/status`, { signal: AbortSignal.timeout(STATUS_MS) })).json()) as Status
  return moves && { givenBack: sum(moves.givenBack), forwarded: sum(moves.forwarded) }
}

/** The fault between two readings, or undefined. Each connection's first request is placed by the primary and moves nothing. */
export function movesFault(
  { moves: shares, connections }: Pick<Scenario, 'moves' | 'connections'>,
  requests: number,
  before: Moves,
  after: Moves,
): string | undefined {
  if (shares === undefined) return undefined
  for (const [way, words] of [
    ['givenBack', 'given back'],
    ['forwarded', 'forwarded'],
  ] as const) {
    const moved = after[way] - before[way]
    const expected = Math.round(requests * shares[way])
    if (Math.abs(moved - expected) > requests * TOLERANCE + 2 * connections)
      return `of ${requests} requests ${moved} were ${words} where ${expected} should have been`
  }
  return undefined
}

function sum(counts: readonly { readonly count: number }[]): number {
  return counts.reduce((total, { count }) => total + count, 0)
}
