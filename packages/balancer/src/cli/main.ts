// The command `balancer`: reads the arguments, runs one command, answers with an exit code. It alone decides how an error is shown.

import { CommanderError } from 'commander'
import { BalancerError, errorCodes } from '../errors.ts'
import { createProgram } from './commands/program.ts'
import { type CliIo, processIo } from './io.ts'
import { printable } from './printable.ts'

/** Exit code of a command line that makes no sense. */
const usageExitCode = 2

/** Runs one command line (without `node` and the script) and resolves with the exit code. Never rejects. */
export async function main(argv: readonly string[], io: CliIo = processIo()): Promise<number> {
  const split = argv.indexOf('--')
  const own = split === -1 ? argv : argv.slice(0, split)
  const appArgs = split === -1 ? [] : argv.slice(split + 1)
  const outcome = { exitCode: 0 }
  io.endWithOutput()
  try {
    await createProgram(io, appArgs, outcome).parseAsync(own, { from: 'user' })
    return outcome.exitCode
  } catch (error) {
    return exitCodeOf(error, io)
  }
}

function exitCodeOf(error: unknown, io: CliIo): number {
  // Commander has printed its message already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : usageExitCode
  if (error instanceof BalancerError) {
    io.stderr.write(printable(`balancer: ${error.message} (${error.code})\n`))
    return errorCodes[error.code].exitCode
  }
  io.stderr.write(printable(`balancer: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`))
  return 1
}
