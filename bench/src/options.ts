// The command line of the bench.

import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import {
  type Contender,
  contenders,
  http2Contenders,
  type LogContender,
  logContenders,
  observingContenders,
  queueingContenders,
  type ReloadContender,
  reloadContenders,
  type SessionContender,
  saturatedContenders,
  sessionContenders,
  tlsContenders,
  upstreamContenders,
} from './contenders.ts'
import { type Load, loads } from './loads.ts'
import { type QueueingScenario, queueingScenarios } from './queueing-scenarios.ts'
import { type SaturatedCell, saturatedCells } from './saturated-scenarios.ts'
import { plainScenarios, type Scenario, scenarios } from './scenarios.ts'
import { type SessionScenario, sessionScenarios } from './session-scenarios.ts'

export const help = `npm run bench -- [options]

  --seconds S        timed seconds of each contender in a round, in turns of two or more (5); with --micro of each case (1), with --mixed and --pinned of each trace (10), with --saturated (12), with --scrapes (20), with --reload (30)
  --rounds N         rounds of each scenario (5); with --mixed, --queueing and --pinned seeds (3), with --reload (1), with --start (15), with --saturated, --sessions, --logs and --grpc (3)
  --warm-up S        load before the timing (half of the seconds, at most 2; with --saturated 15)
  --requests N       with --queueing: about how many requests of a trace are counted (3000)
  --seed N           with --mixed, --queueing and --pinned: the first seed (1)
  --late MS          with --mixed, --queueing and --pinned: how late the generator may be before a trace is sent again (5, 3, 10)
  --only SCENARIO    may be given more than once; one of
                     ${scenarios.map(({ name }) => name).join(', ')};
                     with --queueing of
                     ${queueingScenarios.map(({ name }) => name).join(', ')};
                     with --saturated of
                     ${saturatedCells.map(({ name }) => name).join(', ')};
                     with --sessions of
                     ${sessionScenarios.map(({ name }) => name).join(', ')}
  --pin MS           with --pinned: how long a worker is blocked in its first part (3000)
  --workers N        with --scrapes: how many workers the balancer has (64)
  --load NAME        ${loads.map(({ name }) => name).join(' or ')}; may be given more than once (wrk where it is installed, else autocannon)
  --contenders FILE  a module that exports other 'contenders' (see src/contenders.ts)
  --no-trial         without the check of all contenders before the first round; each is checked in its turn all the same
  --check            exit 1 when a target is missed
  --json             data on stdout, everything else on stderr
  --mixed            latencies instead: light requests beside some that block their worker, on the same connections
  --queueing         latencies instead: requests that block their worker, against one central queue on the same trace
  --pinned           latencies instead: the slowest light request while one worker of two is blocked
  --saturated        requests a second instead: more clients than two workers can serve, with handlers that burn CPU
  --reload           failed requests instead: clients ask while one reload of the workers follows the other
  --start            the time from the command to the first answer instead, and the memory of the primary
  --sessions         requests with a session instead: read, or read and written, beside connect-redis
  --logs             the cost of a line of output instead: workers print into log files, beside PM2's
  --scrapes          how long a scrape of 64 workers takes instead, and what the requests meanwhile notice of it
  --tls              the cost of TLS instead: a kept-alive request, a full handshake, a resumed one
  --upstream         the cost of a request to servers that are no workers instead, beside nginx, HAProxy and http-proxy in front of the same two
  --grpc             calls over one connection that block their worker instead: four workers against one
  --http2            the cost of HTTP/2 instead: a request over one connection, and over 64; needs h2load
  --observing        CPU time with access log, metrics, decisions, dashboard and health checks instead, over that without
  --micro            the cost of a decision instead: head, route and pick, in one process
  --help             this text`

/** A fault of the command line. */
export class UsageError extends Error {}

export interface Options {
  readonly seconds: number
  readonly rounds: number
  readonly warmUpSeconds: number
  readonly scenarios: readonly Scenario[]
  readonly loads: readonly Load[]
  readonly contenders: readonly Contender[]
  readonly reloadContenders: readonly ReloadContender[]
  readonly logContenders: readonly LogContender[]
  readonly queueingScenarios: readonly QueueingScenario[]
  readonly saturatedCells: readonly SaturatedCell[]
  readonly sessionContenders: readonly SessionContender[]
  readonly sessionScenarios: readonly SessionScenario[]
  readonly requests: number
  /** As many as there are rounds. */
  readonly seeds: readonly number[]
  /** How late the generator of an open loop may be. */
  readonly lateMs: number
  /** How long `pinned` blocks a worker. */
  readonly pinMs: number
  /** Of the server of `scrapes`. */
  readonly workers: number
  /** All contenders are checked before the first round: a fault of the last one shows at once. */
  readonly trial: boolean
  readonly check: boolean
  readonly json: boolean
  readonly mode: Mode
  readonly help: boolean
}

const MODES = [
  'mixed',
  'queueing',
  'pinned',
  'saturated',
  'reload',
  'start',
  'sessions',
  'logs',
  'scrapes',
  'observing',
  'tls',
  'upstream',
  'grpc',
  'http2',
  'micro',
] as const
/** What is measured. */
export type Mode = 'costs' | (typeof MODES)[number]

const MAX_SECONDS = 600
const MAX_ROUNDS = 100
const MAX_REQUESTS = 1_000_000
const MAX_SEED = 1_000_000
const MAX_LATE_MS = 10_000
const MAX_PIN_MS = 60_000
const MAX_WORKERS = 256

/** Runs whose scenarios are not those of the costs. */
const ownScenarios: readonly Mode[] = ['queueing', 'saturated', 'sessions']

type Usual = Readonly<Record<Mode, string>>
const usualSeconds: Usual = {
  costs: '5',
  mixed: '10',
  queueing: '5',
  pinned: '10',
  saturated: '12',
  reload: '30',
  start: '1',
  sessions: '5',
  logs: '1',
  scrapes: '20',
  tls: '1',
  upstream: '4',
  grpc: '1',
  http2: '1',
  observing: '5',
  micro: '1',
}
const usualLateMs: Usual = {
  costs: '0',
  mixed: '5',
  queueing: '3',
  pinned: '10',
  saturated: '0',
  reload: '0',
  start: '0',
  sessions: '0',
  logs: '0',
  scrapes: '0',
  tls: '0',
  upstream: '0',
  grpc: '0',
  http2: '0',
  observing: '0',
  micro: '0',
}
const usualRounds: Usual = {
  costs: '5',
  mixed: '3',
  queueing: '3',
  pinned: '3',
  saturated: '3',
  reload: '1',
  start: '15',
  sessions: '3',
  logs: '3',
  scrapes: '5',
  tls: '5',
  upstream: '5',
  grpc: '3',
  http2: '5',
  observing: '5',
  micro: '5',
}

/** V8 compiles a primary's code within some seconds. That compiling takes CPU from the workers, so it must end before anything is timed. */
const SATURATED_WARM_UP = 15
const MOST_WARM_UP = 2

/** Reads the arguments after the script. Throws UsageError. */
export async function readOptions(argv: readonly string[]): Promise<Options> {
  const { values } = parsed(argv)
  const [mode = 'costs', another] = MODES.filter((name) => values[name] === true)
  if (another !== undefined) throw new UsageError(`--${mode} and --${another} are two runs`)
  const seconds = numberIn('--seconds', values.seconds ?? usualSeconds[mode], 0.05, MAX_SECONDS)
  const rounds = wholeIn('--rounds', values.rounds ?? usualRounds[mode], 1, MAX_ROUNDS)
  const firstSeed = wholeIn('--seed', values.seed ?? '1', 0, MAX_SEED)
  const installed = loads.filter((load) => load.version() !== undefined)
  return {
    seconds,
    rounds,
    warmUpSeconds: values['warm-up'] === undefined ? usualWarmUp(mode, seconds) : numberIn('--warm-up', values['warm-up'], 0, MAX_SECONDS),
    scenarios: ownScenarios.includes(mode) ? [] : (chosen('--only', scenarios, values.only) ?? usualScenarios(mode)),
    queueingScenarios: mode === 'queueing' ? (chosen('--only', queueingScenarios, values.only) ?? queueingScenarios) : [],
    saturatedCells: mode === 'saturated' ? (chosen('--only', saturatedCells, values.only) ?? saturatedCells) : [],
    sessionScenarios: mode === 'sessions' ? (chosen('--only', sessionScenarios, values.only) ?? sessionScenarios) : [],
    requests: wholeIn('--requests', values.requests ?? '3000', 1, MAX_REQUESTS),
    seeds: Array.from({ length: rounds }, (_, index) => firstSeed + index),
    lateMs: numberIn('--late', values.late ?? usualLateMs[mode], 0, MAX_LATE_MS),
    pinMs: wholeIn('--pin', values.pin ?? '3000', 1, MAX_PIN_MS),
    workers: wholeIn('--workers', values.workers ?? '64', 1, MAX_WORKERS),
    loads: chosen('--load', installed, values.load) ?? installed.slice(0, 1),
    contenders:
      mode === 'reload' || mode === 'sessions' || mode === 'start' || mode === 'logs' || mode === 'scrapes'
        ? []
        : ((await contendersIn<Contender>(values.contenders)) ?? usualContenders(mode)),
    reloadContenders: mode === 'reload' ? ((await contendersIn<ReloadContender>(values.contenders)) ?? reloadContenders) : [],
    logContenders: mode === 'logs' ? ((await contendersIn<LogContender>(values.contenders)) ?? logContenders) : [],
    sessionContenders: mode === 'sessions' ? ((await contendersIn<SessionContender>(values.contenders)) ?? sessionContenders) : [],
    trial: values['no-trial'] !== true,
    check: values.check === true,
    json: values.json === true,
    mode,
    help: values.help === true,
  }
}

function usualWarmUp(mode: Mode, seconds: number): number {
  return mode === 'saturated' ? SATURATED_WARM_UP : Math.min(MOST_WARM_UP, seconds / 2)
}

function usualScenarios(mode: Mode): readonly Scenario[] {
  return mode === 'observing' ? scenarios.filter(({ name }) => plainScenarios.includes(name)) : scenarios
}

function usualContenders(mode: Mode): readonly Contender[] {
  if (mode === 'queueing') return queueingContenders
  if (mode === 'tls') return tlsContenders
  if (mode === 'upstream') return upstreamContenders
  if (mode === 'http2') return http2Contenders
  if (mode === 'observing') return observingContenders
  return mode === 'saturated' ? saturatedContenders : contenders
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
        pin: { type: 'string' },
        workers: { type: 'string' },
        'no-trial': { type: 'boolean' },
        check: { type: 'boolean' },
        json: { type: 'boolean' },
        requests: { type: 'string' },
        seed: { type: 'string' },
        late: { type: 'string' },
        mixed: { type: 'boolean' },
        queueing: { type: 'boolean' },
        pinned: { type: 'boolean' },
        saturated: { type: 'boolean' },
        reload: { type: 'boolean' },
        start: { type: 'boolean' },
        sessions: { type: 'boolean' },
        logs: { type: 'boolean' },
        scrapes: { type: 'boolean' },
        tls: { type: 'boolean' },
        upstream: { type: 'boolean' },
        grpc: { type: 'boolean' },
        http2: { type: 'boolean' },
        observing: { type: 'boolean' },
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

function wholeIn(option: string, text: string, least: number, most: number): number {
  const value = numberIn(option, text, least, most)
  if (!Number.isInteger(value)) throw new UsageError(`${option}: expected a whole number, got '${text}'`)
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

async function contendersIn<T>(file: string | undefined): Promise<readonly T[] | undefined> {
  if (file === undefined) return undefined
  const module = (await import(pathToFileURL(resolve(file)).href)) as { contenders?: readonly T[] }
  if (!Array.isArray(module.contenders)) throw new UsageError(`--contenders: ${file} exports no 'contenders'`)
  return module.contenders
}
