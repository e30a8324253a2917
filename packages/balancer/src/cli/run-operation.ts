// Runs one operation of the balancer from the command line and shows how it goes: progress on stderr, the result on stdout. With `json` every line goes to stdout as it came.

import { type ControlClient, errorOf } from '../control/control-client.ts'
import type { OperationBodies, OperationName, Progress } from '../control/control-protocol.ts'
import { BalancerError } from '../errors.ts'
import { findBalancer, type ReachOptions } from './find-balancer.ts'
import type { CliIo, TextOutput } from './io.ts'
import { printable, printableJson } from './printable.ts'

export interface OperateOptions extends ReachOptions {
  json?: boolean | undefined
}

/** Resolves with the exit code 0 when it is done; throws the error that it ended with. */
export async function runOperation<Name extends OperationName>(
  name: Name,
  body: OperationBodies[Name],
  options: OperateOptions,
  io: CliIo,
): Promise<number> {
  const message = await follow(await findBalancer(options, io), name, body, options, io)
  if (options.json !== true) io.stdout.write(`${printable(message)}\n`)
  return 0
}

/** Shows the progress and resolves with what the operation has come to. */
export async function follow<Name extends OperationName>(
  client: ControlClient,
  name: Name,
  body: OperationBodies[Name],
  { json = false }: OperateOptions,
  io: CliIo,
): Promise<string> {
  const shown = new ShownProgress(io.stderr)
  try {
    for await (const line of client.runOperation(name, body)) {
      if (json) io.stdout.write(`${printableJson(line)}\n`)
      else if ('progress' in line) shown.show(line.progress)
      if ('result' in line) return line.result.message
      if ('error' in line) {
        shown.clear()
        throw errorOf(line.error)
      }
    }
  } finally {
    shown.clear()
  }
  throw new BalancerError('ERR_NOT_RUNNING', `The balancer ended before '${name}' was done`, { source: 'system' })
}

/** What is waited for is told now and then; on a terminal each time, in the place of the last. */
const waitingEveryMs = 5_000

class ShownProgress {
  readonly #output: TextOutput
  #shownAt = Number.NEGATIVE_INFINITY
  #isWaitingShown = false

  constructor(output: TextOutput) {
    this.#output = output
  }

  show({ kind, message: said, pool, slot }: Progress): void {
    const message = printable(said, this.#output.isTTY === true)
    if (kind === 'waiting' && this.#output.isTTY === true) {
      this.#output.write(`\r\x1b[K${message.slice(0, (this.#output.columns ?? 80) - 1)}`)
      this.#isWaitingShown = true
      return
    }
    if (kind === 'waiting' && Date.now() - this.#shownAt < waitingEveryMs) return
    this.clear()
    this.#shownAt = Date.now()
    this.#output.write(`${kind === 'output' ? `${pool}/${slot} | ` : ''}${message}\n`)
  }

  clear(): void {
    if (this.#isWaitingShown) this.#output.write('\r\x1b[K')
    this.#isWaitingShown = false
  }
}
