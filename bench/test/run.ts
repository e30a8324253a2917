// Runs the whole script in a process of its own, in a very short form.

import { fileURLToPath } from 'node:url'
import { assert } from '../../test/suite.ts'
import { type LoggedChild, spawnLogged } from '../../test/support/spawn.ts'

const script = fileURLToPath(new URL('../src/bench.ts', import.meta.url))
// No figure is asserted, so a late generator does no harm.
const BLINK = ['--seconds', '0.3', '--warm-up', '0', '--rounds', '1', '--late', '10000']
/** Seconds of a turn, tried one after the other. */
const TURNS = ['0.3', '3', '15']

export function start(...args: string[]): LoggedChild {
  return spawnLogged(process.execPath, ['--import', 'tsx', script, ...BLINK, ...args])
}

export function startWith(fixture: string, ...args: string[]): LoggedChild {
  return start('--contenders', fixtureFile(fixture), '--load', 'autocannon', ...args)
}

/** A module with contenders. */
export function fixtureFile(name: string): string {
  return fileURLToPath(new URL(`fixtures/${name}.js`, import.meta.url))
}

/**
 * The first run whose turns were long enough, when it has ended; without one, the last. On a slow machine a very short turn may have no
 * answer. `begin` gets the options to add.
 */
export async function measured(
  begin: (...turns: string[]) => LoggedChild,
  isEnough: (run: LoggedChild) => boolean = hasAnswers,
): Promise<LoggedChild> {
  for (const [index, seconds] of TURNS.entries()) {
    const run = begin('--seconds', seconds)
    await run.ended
    if (isEnough(run) || index === TURNS.length - 1) return run
  }
  throw new Error('there are no turns')
}

function hasAnswers(run: LoggedChild): boolean {
  return !/no answers|the load gave no report/.test(run.output())
}

/** Starts a run when it is first asked for. */
export function once(begin: () => LoggedChild): () => LoggedChild {
  let run: LoggedChild | undefined
  return () => {
    run ??= begin()
    return run
  }
}

/** The JSON that it prints, once it has ended well. */
export async function dataOf<T>(run: LoggedChild): Promise<T> {
  const { code } = await run.ended
  assert.is(code, 0, run.output())
  return JSON.parse(run.stdout()) as T
}
