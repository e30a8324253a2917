// The commands for a running balancer: their arguments, options, help and examples.

import { type Command, InvalidArgumentError } from 'commander'
import { type PoolOrSlot, parsePoolOrSlot, parseSlotName } from '../../worker-name.ts'
import type { CliIo } from '../io.ts'
import { addInsightCommands } from './insight-commands.ts'

const WATCH_SECONDS = 2
const MIN_WATCH_SECONDS = 0.2
const UNIT_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** Gets the parsed arguments; resolves with the exit code. */
export type Run<Args extends unknown[]> = (args: Args, options: never, command: Command) => Promise<number>

export interface ControlCommandsOptions {
  io: CliIo
  /** Adds a command that takes no app arguments after `--`. */
  add<Args extends unknown[]>(name: string, description: string, run: Run<Args>): Command
  addExamples(command: Command, examples: readonly string[]): void
}

export interface ControlOptions {
  config?: string
  control?: string
  json?: boolean
}

type InspectControlOptions = ControlOptions & { output?: string }

type WorkerSlot = NonNullable<ReturnType<typeof parseSlotName>>

const CONFIG_HELP = 'config file that the balancer was started with (default: the one in this folder)'
const CONTROL_HELP = 'path of its control socket (default: found by folder and config)'
export const NOT_RUNNING = '8  no balancer answers'
const BUSY = '7  another reload or upgrade is under way'
const INSPECTOR = "17  the worker's inspector can't be opened"
const OUTPUT = 'the file (default: a new one in this folder, named after worker and time)'
const SLOT_ARGUMENT = "such as web/0, or 0 in the first pool; 'balancer status' lists the workers"
const SERVER_ARGUMENT = 'such as web/0, or 0 in the first pool; in an upstream pool legacy/0 is a server, and legacy/proxy/0 a worker'

export function addControlCommands({ io, add, addExamples }: ControlCommandsOptions): void {
  const operation = <Args extends unknown[]>(
    name: string,
    description: string,
    run: (args: Args, options: ControlOptions, command: Command) => Promise<number>,
  ): Command =>
    add<Args>(name, description, run)
      .option('-c, --config <file>', CONFIG_HELP)
      .option('--control <path>', CONTROL_HELP)
      .option('--json', 'print JSON')

  const status = operation(
    'status',
    'show what is unhealthy, and the pools and workers with their load',
    async (_, options: ControlOptions & { watch?: number | true }) =>
      (await import('./show-status.ts')).status({ ...options, watch: options.watch === true ? WATCH_SECONDS : options.watch }, io),
  ).option('-w, --watch [seconds]', 'print again every 2 seconds, or as often as this says', toInterval)
  addExitCodes(status, '0  a balancer runs', NOT_RUNNING)
  addExamples(status, ['balancer status', 'balancer status --watch', "balancer status --json | jq '.pools[0].ready'"])

  const top = add('top', 'show workers, load and log on one screen, with keys to drain, restart, reload and scale', async (_, options) =>
    (await import('./top.ts')).showTop(options, io),
  )
    .option('-c, --config <file>', CONFIG_HELP)
    .option('--control <path>', CONTROL_HELP)
    .option('-d, --delay <seconds>', 'from one status to the next (default: 1)', toInterval)
  addExitCodes(top, '0  the user has quit', '2  there is no terminal', NOT_RUNNING)
  addExamples(top, ['balancer top', 'balancer top --delay 0.5', 'NO_COLOR=1 balancer top'])

  const dashboard = operation(
    'dashboard',
    'print a link that opens the dashboard in a browser, with the right to drain, restart, reload and scale',
    async (_, options) => (await import('./show-dashboard-link.ts')).showDashboardLink(options, io),
  )
  addExitCodes(dashboard, '0  the link is printed', NOT_RUNNING, '18  the balancer has no admin page')
  addExamples(dashboard, ['balancer dashboard', 'xdg-open "$(balancer dashboard)"'])

  const reload = operation<[pool?: string]>(
    'reload',
    'read the config and the environment file again and replace the workers; if a new worker does not start, the old workers stay',
    async ([pool], options) => (await import('../run-operation.ts')).runOperation('reload', { pool }, options, io),
  ).argument('[pool]', 'reload only this pool')
  addExitCodes(
    reload,
    '0  all workers are replaced',
    '2  the config has faults; nothing has changed',
    '6  a new worker did not start; the old workers keep serving',
    BUSY,
    NOT_RUNNING,
  )
  addExamples(reload, ['balancer reload', 'balancer reload web', 'kill -HUP 4711    (the same; the result is in the log)'])

  const rollback = operation('rollback', 'go back to the settings from before the last reload', async (_, options) =>
    (await import('../run-operation.ts')).runOperation('rollback', {}, options, io),
  )
  addExitCodes(
    rollback,
    '0  all workers are replaced',
    '6  a worker did not start; the present workers keep serving',
    BUSY,
    NOT_RUNNING,
    '9  there is nothing to go back to',
  )
  addExamples(rollback, ['balancer rollback'])

  const scale = operation<[string | undefined, string | undefined]>(
    'scale',
    'change the number of workers until the next start',
    async ([first, second], options, command) => {
      const [pool, text] = second === undefined ? [undefined, first] : [first, second]
      const change = text === undefined ? undefined : parseScale(text)
      if (change === undefined)
        return command.error(`error: expected a number of workers, such as 6, +2 or -1${text === undefined ? '' : `, got '${text}'`}.`)
      return (await import('../run-operation.ts')).runOperation('scale', { pool, ...change }, options, io)
    },
  )
    .usage('[options] [pool] <workers>')
    .argument('[pool]', 'may be omitted if there is only one pool')
    .argument('[workers]', 'the number, such as 6, or the difference, such as +2 or -1')
  addExamples(scale, ['balancer scale web 6', 'balancer scale web +2', 'balancer scale -1'])

  const drain = operation<[WorkerSlot]>(
    'drain',
    'take a worker or an upstream server out of service: it finishes its requests, and its slot stays empty',
    async ([workerSlot], options) => (await import('../run-operation.ts')).runOperation('drain', workerSlot, options, io),
  ).argument('<worker>', SERVER_ARGUMENT, toSlot)
  addExamples(drain, ['balancer drain web/0', 'balancer drain 0', 'balancer drain legacy/1    (an upstream server)'])

  const restart = operation<[WorkerSlot]>(
    'restart',
    'replace a worker, starting the new one first; also fills a slot that is broken or out of service, puts an upstream server back in service, and starts a process of a schedule now',
    async ([workerSlot], options) => (await import('../run-operation.ts')).runOperation('restart', workerSlot, options, io),
  ).argument('<worker>', SERVER_ARGUMENT, toSlot)
  addExamples(restart, [
    'balancer restart web/0',
    'balancer restart 0',
    'balancer restart nightly/0',
    'balancer restart legacy/1    (an upstream server)',
  ])

  const profile = operation<[WorkerSlot]>('profile', 'record where a worker spends its CPU time', async ([workerSlot], options) =>
    (await import('./profile.ts')).profile({ ...(options as InspectControlOptions & { seconds: number }), ...workerSlot }, io),
  )
    .argument('<worker>', SLOT_ARGUMENT, toSlot)
    .option('-s, --seconds <number>', 'how long', toSeconds, 10)
    .option('-o, --output <file>', OUTPUT)
  addExitCodes(profile, '0   the file is written', NOT_RUNNING, INSPECTOR)
  addExamples(profile, ['balancer profile web/0', 'balancer profile web/0 --seconds 30 -o slow.cpuprofile'])

  const heapSnapshot = operation<[WorkerSlot]>(
    'heap-snapshot',
    'write what a worker keeps in memory; the worker stands still meanwhile',
    async ([workerSlot], options) =>
      (await import('./profile.ts')).heapSnapshot({ ...(options as InspectControlOptions), ...workerSlot }, io),
  )
    .argument('<worker>', SLOT_ARGUMENT, toSlot)
    .option('-o, --output <file>', OUTPUT)
  addExitCodes(heapSnapshot, '0   the file is written', NOT_RUNNING, INSPECTOR)
  addExamples(heapSnapshot, ['balancer heap-snapshot web/0'])

  const stop = operation('stop', 'stop the balancer as SIGTERM does: requests under way are finished first', async (_, options) =>
    (await import('./stop.ts')).stop(options, io),
  ).option('--now', 'do not wait for requests under way')
  addExitCodes(stop, '0  its process has exited', NOT_RUNNING)
  addExamples(stop, ['balancer stop', 'balancer stop --now'])

  const upgrade = operation(
    'upgrade',
    'start a new primary (a new version, a new config) that takes over the port without closing it; the old primary finishes its requests',
    async (_, options) => (await import('../run-operation.ts')).runOperation('upgrade', {}, options, io),
  )
  addExitCodes(upgrade, '0  the new primary serves', BUSY, NOT_RUNNING, '10  the new primary did not start; nothing has changed')
  addExamples(upgrade, ['balancer upgrade'])

  const logs = operation<[PoolOrSlot?]>('logs', "print the last lines of the log and of the workers' output", async ([filter], options) =>
    (await import('./logs.ts')).logs({ ...(options as ControlOptions & { lines: number }), ...filter }, io),
  )
    .argument('[worker]', 'only lines of this pool (web) or worker (web/0)', toPoolOrSlot)
    .option('-f, --follow', 'keep printing new lines')
    .option('-n, --lines <number>', 'how many of the last lines (default: 50, or with --since all)', toCount)
    .option('--since <time>', 'only lines of the last 10m, 2h or 1d, or since a time such as 2026-01-31T12:00', toSince)
    .option('--grep <pattern>', 'only lines in which this regular expression is found', toPattern)
  addExamples(logs, [
    'balancer logs',
    'balancer logs -f web',
    'balancer logs -n 200 web/0',
    'balancer logs --since 10m --grep timeout',
    'balancer logs -f --json',
  ])

  addInsightCommands({ io, operation, addExamples })
}

export function addExitCodes(command: Command, ...lines: readonly string[]): void {
  command.addHelpText('after', `\nExit codes:\n${lines.map((line) => `  ${line}`).join('\n')}`)
}

function toSlot(text: string): WorkerSlot {
  const workerSlot = parseSlotName(text)
  if (workerSlot === undefined) throw new InvalidArgumentError('Expected a worker such as web/0.')
  return workerSlot
}

export function toPoolOrSlot(text: string): PoolOrSlot {
  const found = parsePoolOrSlot(text)
  if (found === undefined) throw new InvalidArgumentError('Expected a pool such as web, or a worker such as web/0.')
  return found
}

/** Milliseconds since 1970. */
function toSince(text: string): number {
  const [, digits, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? []
  const time = digits === undefined ? Date.parse(text) : Date.now() - Number(digits) * UNIT_MS[unit as keyof typeof UNIT_MS]
  if (Number.isNaN(time) || (digits === undefined && !/^\d{4}-\d\d-\d\d/.test(text)))
    throw new InvalidArgumentError('Expected a duration such as 90s, 10m, 2h or 1d, or a time such as 2026-01-31T12:00.')
  return time
}

function toPattern(text: string): RegExp {
  try {
    return new RegExp(text)
  } catch (error) {
    throw new InvalidArgumentError(`Expected a regular expression: ${(error as Error).message}.`)
  }
}

function toInterval(text: string): number {
  const seconds = Number(text)
  if (!/^\d{1,4}(\.\d{1,3})?$/.test(text) || seconds < MIN_WATCH_SECONDS)
    throw new InvalidArgumentError(`Expected seconds from ${MIN_WATCH_SECONDS} to 9999.`)
  return seconds
}

export function toCount(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError('Expected an integer from 0.')
  return Number(text)
}

function toSeconds(text: string): number {
  const seconds = Number(text)
  if (!(seconds > 0 && seconds <= 600)) throw new InvalidArgumentError('Expected seconds, at most 600.')
  return seconds
}

/** `6`, `+2` or `-1`; undefined: it is none of these. */
export function parseScale(text: string): { to: number } | { by: number } | undefined {
  if (!/^[+-]?\d{1,5}$/.test(text)) return undefined
  const count = Number(text)
  if (count === 0) return undefined
  return /^[+-]/.test(text) ? { by: count } : { to: count }
}
