// The commands that say why, and what to do: `decisions`, `errors` and `advise`, with their options, help and examples.

import type { Command } from 'commander'
import type { CliIo } from '../io.ts'
import { addExitCodes, type ControlOptions, NOT_RUNNING, toCount, toPoolOrSlot } from './control-commands.ts'

export interface InsightCommandsOptions {
  io: CliIo
  /** Adds a command for a running balancer. */
  operation<Args extends unknown[]>(
    name: string,
    description: string,
    run: (args: Args, options: ControlOptions) => Promise<number>,
  ): Command
  addExamples(command: Command, examples: readonly string[]): void
}

export function addInsightCommands({ io, operation, addExamples }: InsightCommandsOptions): void {
  const decisions = operation<[{ pool: string; slot: number | undefined }?]>(
    'decisions',
    'print which workers the running balancer chose for the last connections, and why',
    async ([filter], options) => (await import('../insight/decisions.ts')).decisions({ ...options, ...filter }, io),
  )
    .argument('[worker]', 'only decisions for this pool (web) or worker (web/0)', toPoolOrSlot)
    .option('-f, --follow', 'keep printing new decisions')
    .option('-n, --lines <number>', 'how many of the last decisions, at most 1000 (default: 20)', toCount)
    .option('--route <name>', "only decisions of this route, by its name in 'balancer check'")
  decisions.addHelpText(
    'after',
    `
Each line has the time, the route, the worker, how long the connection waited in the queue, where it came from, how the worker was chosen,
and the candidates: '2:5' is slot 2 with 5 requests in flight, '2:5~12ms' if its loop had been busy for 12 ms, '2:5*' if it was chosen.
Keys and cookies are shown as hashes: two requests with the same hash have the same key.
Recording begins with the first call, and ends 10 minutes after the last one. With 'decisions: true' in the config it is always on.`,
  )
  addExitCodes(decisions, '0  the decisions were printed', '2  there is no such route', NOT_RUNNING)
  addExamples(decisions, [
    'balancer decisions',
    'balancer decisions -f web/2',
    "balancer decisions -n 1000 --route '/cart/*' --json | jq -r '.key.hash, .worker.slot'",
  ])

  const errors = operation(
    'errors',
    'print refused or unreadable request heads, failed exchanges with upstream servers, and cut connections of HTTP/2',
    async (_, options) => (await import('../insight/errors.ts')).errors(options, io),
  ).option('-n, --lines <number>', 'how many of the last heads and exchanges (default: all)', toCount)
  errors.addHelpText(
    'after',
    `
Each head is shown with the offset and the byte at which reading stopped. Bytes outside of printable ASCII are escaped, and the values of
fields and parameters that carry keys, cookies or passwords are masked. 'unreadable': the head was not refused, and the worker's parser decides. The last 100 heads are kept.

Failed exchanges with upstream servers are counted by server and reason since the balancer started, with the time of the last one. FAILED: the
client got 502, 503, 504 or 408. SENT AGAIN: another connection or server answered, or the request failed again and counts there.

The last 100 clients whose connections of HTTP/2 a worker has cut, because they exceeded a limit, are listed with the time of the last one. With
--json these lines have the fields 'reason', 'address', 'listener', 'count', 'since' and 'time', and no 'number'.`,
  )
  addExitCodes(errors, '0  the heads and exchanges were printed', NOT_RUNNING)
  addExamples(errors, [
    'balancer errors',
    'balancer errors -n 1',
    "balancer errors --json | jq -r 'select(.offset) | [.address, .reason, .offset] | @tsv'",
  ])

  const advise = operation('advise', 'print what could be done better, from what the running balancer has seen', async (_, options) =>
    (await import('../insight/advise.ts')).advise(options, io),
  )
  advise.addHelpText(
    'after',
    `
Each piece says what was seen, what to do, and which options to put into the config. The balancer looks back a quarter of an hour, and says
nothing without enough evidence. It writes each piece to the log, too, once. 'advice: false' in the config switches all of it off.`,
  )
  addExitCodes(advise, '0  the advice was printed; there may be none', NOT_RUNNING)
  addExamples(advise, ['balancer advise', "balancer advise --json | jq -r '.advice[].config'"])
}
