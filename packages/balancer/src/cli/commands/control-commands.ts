// The commands that speak with a balancer that runs: their options, help and examples.

import { type Command, InvalidArgumentError } from 'commander'
import type { CliIo } from '../io.ts'
import { parsePoolOrSlot, parseScale, parseSlot } from './slot-argument.ts'

/** What it has of arguments, as they are parsed; resolves with the exit code. */
export type Run<Args extends unknown[]> = (args: Args, options: never, command: Command) => Promise<number>

export interface CommandParts {
  io: CliIo
  /** Adds a command that takes no arguments of an app. */
  add<Args extends unknown[]>(name: string, description: string, run: Run<Args>): Command
  addExamples(command: Command, examples: readonly string[]): void
}

interface Common {
  config?: string
  control?: string
  json?: boolean
}

type Seat = { pool: string | undefined; slot: number }

const notRunning = '8  no balancer answers'
const busy = '7  another reload or upgrade is under way'
const slotArgument = "such as web/0, or 0 in the first pool; 'balancer status' lists them"

/** Adds them all to the program. */
export function addControlCommands({ io, add, addExamples }: CommandParts): void {
  const operation = <Args extends unknown[]>(
    name: string,
    description: string,
    run: (args: Args, options: Common, command: Command) => Promise<number>,
  ): Command =>
    add<Args>(name, description, run)
      .option('-c, --config <file>', 'config file that the balancer was started with (default: the one of this folder)')
      .option('--control <path>', 'its control socket (default: found by folder and config)')
      .option('--json', 'print JSON')

  const status = operation('status', 'show what runs: pools and workers with their load, and what is under way', async (_, options) =>
    (await import('./show-status.ts')).status(options, io),
  )
  addExitCodes(status, '0  a balancer runs', notRunning)
  addExamples(status, ['balancer status', "balancer status --json | jq '.pools[0].ready'"])

  const reload = operation<[pool?: string]>(
    'reload',
    'read the config and the environment file again and replace the workers, new ones first; when these do not come up, the old ones stay',
    async ([pool], options) => (await import('../run-operation.ts')).runOperation('reload', { pool }, options, io),
  ).argument('[pool]', 'only this one')
  addExitCodes(
    reload,
    '0  every worker is replaced',
    '2  the config has faults; nothing has changed',
    '6  a new worker did not come up; the old ones serve on',
    busy,
    notRunning,
  )
  addExamples(reload, ['balancer reload', 'balancer reload web', 'kill -HUP 4711    (the same; what comes of it stands in the log)'])

  const rollback = operation('rollback', 'go back to the config and app of before the last reload', async (_, options) =>
    (await import('../run-operation.ts')).runOperation('rollback', {}, options, io),
  )
  addExitCodes(
    rollback,
    '0  every worker is replaced',
    '6  a worker did not come up',
    busy,
    notRunning,
    '9  there is nothing to go back to',
  )
  addExamples(rollback, ['balancer rollback'])

  const scale = operation<[string | undefined, string | undefined]>(
    'scale',
    'change the number of workers, until the next start',
    async ([first, second], options, command) => {
      const [pool, text] = second === undefined ? [undefined, first] : [first, second]
      const change = text === undefined ? undefined : parseScale(text)
      if (change === undefined)
        return command.error(`error: expected a number of workers, such as 6, +2 or -1${text === undefined ? '' : `, got '${text}'`}.`)
      return (await import('../run-operation.ts')).runOperation('scale', { pool, ...change }, options, io)
    },
  )
    .usage('[options] [pool] <workers>')
    .argument('[pool]', 'may be left out when there is only one')
    .argument('[workers]', 'how many: 6; or so many more or fewer: +2, -1')
  addExamples(scale, ['balancer scale web 6', 'balancer scale web +2', 'balancer scale -1'])

  const drain = operation<[Seat]>(
    'drain',
    'take a worker out of service: it ends what it has begun, and its place stays empty',
    async ([workerSlot], options) => (await import('../run-operation.ts')).runOperation('drain', workerSlot, options, io),
  ).argument('<worker>', slotArgument, toSlot)
  addExamples(drain, ['balancer drain web/0', 'balancer drain 0'])

  const restart = operation<[Seat]>(
    'restart',
    'replace a worker, the new one first; also fills a place that is broken or out of service',
    async ([workerSlot], options) => (await import('../run-operation.ts')).runOperation('restart', workerSlot, options, io),
  ).argument('<worker>', slotArgument, toSlot)
  addExamples(restart, ['balancer restart web/0', 'balancer restart 0'])

  const stop = operation('stop', 'stop the balancer; what has begun is finished first, as on SIGTERM', async (_, options) =>
    (await import('./stop.ts')).stop(options, io),
  ).option('--now', 'cut off what has begun')
  addExitCodes(stop, '0  its process is gone', notRunning)
  addExamples(stop, ['balancer stop', 'balancer stop --now'])

  const upgrade = operation(
    'upgrade',
    'start another balancer (a new version, a new config) that takes over the port without closing it; the old one ends what it has begun',
    async (_, options) => (await import('../run-operation.ts')).runOperation('upgrade', {}, options, io),
  )
  addExitCodes(upgrade, '0  the new one serves', busy, notRunning, '10  the new one did not come up; everything is as before')
  addExamples(upgrade, ['balancer upgrade'])

  const logs = operation<[{ pool: string; slot: number | undefined }?]>(
    'logs',
    'print the last lines of the log and of what the workers print',
    async ([where], options) => (await import('./logs.ts')).logs({ ...(options as Common & { lines: number }), ...where }, io),
  )
    .argument('[worker]', 'only those of a pool (web) or a worker (web/0)', toPlace)
    .option('-f, --follow', 'go on with what comes')
    .option('-n, --lines <number>', 'how many, of the last 1000', toCount, 50)
  addExamples(logs, ['balancer logs', 'balancer logs -f web', 'balancer logs -n 200 web/0', 'balancer logs -f --json'])
}

function addExitCodes(command: Command, ...lines: readonly string[]): void {
  command.addHelpText('after', `\nExit codes:\n${lines.map((line) => `  ${line}`).join('\n')}`)
}

function toSlot(text: string): Seat {
  const workerSlot = parseSlot(text)
  if (workerSlot === undefined) throw new InvalidArgumentError('Expected a worker such as web/0.')
  return workerSlot
}

function toPlace(text: string): { pool: string; slot: number | undefined } {
  const place = parsePoolOrSlot(text)
  if (place === undefined) throw new InvalidArgumentError('Expected a pool such as web, or a worker such as web/0.')
  return place
}

function toCount(text: string): number {
  if (!/^\d{1,6}$/.test(text)) throw new InvalidArgumentError('Expected an integer from 0.')
  return Number(text)
}
