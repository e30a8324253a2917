// Runs the whole script in a process of its own, in a very short form.

import { fileURLToPath } from 'node:url'
import { assert } from '../../test/suite.ts'
import { type LoggedChild, spawnLogged } from '../../test/support/spawn.ts'

const script = fileURLToPath(new URL('../src/bench.ts', import.meta.url))
// No figure is asserted, so a late generator does no harm.
const BLINK = ['--seconds', '0.5', '--warm-up', '0.3', '--rounds', '1', '--late', '10000']

export function start(...args: string[]): LoggedChild {
  return spawnLogged(process.execPath, ['--import', 'tsx', script, ...BLINK, ...args])
}

export function startWith(fixture: string, ...args: string[]): LoggedChild {
  return start('--contenders', fileURLToPath(new URL(`fixtures/${fixture}.js`, import.meta.url)), '--load', 'autocannon', ...args)
}

/** The JSON that it prints, once it has ended well. */
export async function dataOf<T>(run: LoggedChild): Promise<T> {
  const { code } = await run.ended
  assert.is(code, 0, run.output())
  return JSON.parse(run.stdout()) as T
}
