// The command `balancer`: parses the arguments, runs one command, prints its error and returns the exit code.

import { CommanderError } from 'commander'
import { BalancerError, errorCodes } from '../errors.ts'
import { createProgram } from './commands/program.ts'
import { type CliIo, processIo } from './io.ts'
import { printable } from './printable.ts'

/** Exit code for a command line that can't be parsed. */
const USAGE_EXIT_CODE = 2

/** Runs one command line (without `node` and the script) and resolves with the exit code. Never rejects. */
export async function main(argv: readonly string[], io: CliIo = processIo()): Promise<number> {
  const split = argv.indexOf('--')
  const own = split === -1 ? argv : argv.slice(0, split)
  const appArgs = split === -1 ? [] : argv.slice(split + 1)
  const outcome = { exitCode: 0 }
  io.exitWhenOutputCloses()
  try {
    await createProgram(io, appArgs, outcome).parseAsync(own, { from: 'user' })
    return outcome.exitCode
  } catch (error) {
    return exitCodeOf(error, io)
  }
}

function exitCodeOf(error: unknown, io: CliIo): number {
  // Commander has printed the message already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE_EXIT_CODE
  if (error instanceof BalancerError) {
    io.stderr.write(printable(`balancer: ${error.message} (${error.code})\n`))
    return errorCodes[error.code].exitCode
  }
  io.stderr.write(printable(`balancer: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`))
  return 1
}
