// The command line.

import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { type Contender, contenders } from './contenders.ts'
import { type Load, loads } from './loads.ts'
import { type Scenario, scenarios } from './scenarios.ts'

export const help = `npm run bench -- [options]

  --seconds S        how long each turn is timed (5); with --micro each case (1), with --mixed each trace (10)
  --rounds N         turns of each contender in each scenario (5); with --mixed seeds (3)
  --warm-up S        load before the timing (half of the seconds, at most 2)
  --only SCENARIO    may be given more than once; one of
                     ${scenarios.map(({ name }) => name).join(', ')}
  --load NAME        ${loads.map(({ name }) => name).join(' or ')}; may be given more than once (wrk where it is installed, else autocannon)
  --contenders FILE  others instead of the usual ones: a module that exports 'contenders' (see src/contenders.ts)
  --check            exit 1 when a target is missed
  --json             data on stdout, everything else on stderr
  --mixed            latencies instead: light requests beside some that block their worker, on the same connections
  --micro            the cost of a decision instead: head, route and pick, in one process
  --help             this text`

/** What is wrong with the command line. */
export class UsageError extends Error {}

export interface Options {
  readonly seconds: number
  readonly rounds: number
  readonly warmUpSeconds: number
  readonly scenarios: readonly Scenario[]
  readonly loads: readonly Load[]
  readonly contenders: readonly Contender[]
  readonly check: boolean
  readonly json: boolean
  readonly mixed: boolean
  readonly micro: boolean
  readonly help: boolean
}

const MAX_SECONDS = 600
const MAX_ROUNDS = 100

/** Reads the arguments after the script. Throws UsageError. */
export async function readOptions(argv: readonly string[]): Promise<Options> {
  const { values } = parsed(argv)
  const seconds = numberIn(
    '--seconds',
    values.seconds ?? (values.micro === true ? '1' : values.mixed === true ? '10' : '5'),
    0.05,
    MAX_SECONDS,
  )
  const rounds = numberIn('--rounds', values.rounds ?? (values.mixed === true ? '3' : '5'), 1, MAX_ROUNDS)
  if (!Number.isInteger(rounds)) throw new UsageError(`--rounds: expected a whole number, got '${values.rounds}'`)
  const installed = loads.filter((load) => load.version() !== undefined)
  return {
    seconds,
    rounds,
    warmUpSeconds: values['warm-up'] === undefined ? Math.min(2, seconds / 2) : numberIn('--warm-up', values['warm-up'], 0, MAX_SECONDS),
    scenarios: chosen('--only', scenarios, values.only) ?? scenarios,
    loads: chosen('--load', installed, values.load) ?? installed.slice(0, 1),
    contenders: values.contenders === undefined ? contenders : await contendersIn(values.contenders),
    check: values.check === true,
    json: values.json === true,
    mixed: values.mixed === true,
    micro: values.micro === true,
    help: values.help === true,
  }
}

function parsed(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        seconds: { type: 'string' },
        rounds: { type: 'string' },
        'warm-up': { type: 'string' },
        only: { type: 'string', multiple: true },
        load: { type: 'string', multiple: true },
        contenders: { type: 'string' },
        check: { type: 'boolean' },
        json: { type: 'boolean' },
        mixed: { type: 'boolean' },
        micro: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    })
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

function numberIn(option: string, text: string, least: number, most: number): number {
  const value = Number(text)
  if (text.trim() === '' || !(value >= least && value <= most))
    throw new UsageError(`${option}: expected a number from ${least} to ${most}, got '${text}'`)
  return value
}

function chosen<T extends { readonly name: string }>(
  option: string,
  all: readonly T[],
  names: string[] | undefined,
): readonly T[] | undefined {
  for (const name of names ?? []) {
    if (!all.some((one) => one.name === name))
      throw new UsageError(`${option}: there is ${all.map((one) => `'${one.name}'`).join(' and ')} here, not '${name}'`)
  }
  return names && all.filter(({ name }) => names.includes(name))
}

async function contendersIn(file: string): Promise<readonly Contender[]> {
  const module = (await import(pathToFileURL(resolve(file)).href)) as { contenders?: readonly Contender[] }
  if (!Array.isArray(module.contenders)) throw new UsageError(`--contenders: ${file} exports no 'contenders'`)
  return module.contenders
}
