// Runs one operation on a running balancer: progress goes to stderr, the result to stdout. With `json` everything goes to stdout as received.

import { type ControlClient, errorOf } from '../control/control-client.ts'
import type { OperationBodies, OperationName, Progress } from '../control/control-protocol.ts'
import { BalancerError } from '../errors.ts'
import { slotName } from '../worker-name.ts'
import { type FindBalancerOptions, findBalancer } from './find-balancer.ts'
import type { CliIo, TextOutput } from './io.ts'
import { printable, printableJson } from './printable.ts'

export interface RunOperationOptions extends FindBalancerOptions {
  json?: boolean | undefined
}

/** Resolves with the exit code 0; throws the error of the operation. */
export async function runOperation<Name extends OperationName>(
  name: Name,
  body: OperationBodies[Name],
  options: RunOperationOptions,
  io: CliIo,
): Promise<number> {
  const message = await follow(await findBalancer(options, io), name, body, options, io)
  if (options.json !== true) io.stdout.write(`${printable(message)}\n`)
  return 0
}

/** Shows the progress and resolves with the message of the result. */
export async function follow<Name extends OperationName>(
  client: ControlClient,
  name: Name,
  body: OperationBodies[Name],
  { json = false }: RunOperationOptions,
  io: Pick<CliIo, 'stdout' | 'stderr'>,
): Promise<string> {
  const output = new ProgressOutput(io.stderr)
  try {
    for await (const line of client.runOperation(name, body)) {
      if (json) io.stdout.write(`${printableJson(line)}\n`)
      else if ('progress' in line) output.show(line.progress)
      if ('result' in line) return line.result.message
      if ('error' in line) {
        output.clear()
        throw errorOf(line.error)
      }
    }
  } finally {
    output.clear()
  }
  throw new BalancerError('ERR_NOT_RUNNING', `The balancer exited before '${name}' was done`, { source: 'system' })
}

/** `waiting` lines are printed this often; on a terminal every one replaces the one before. */
const WAITING_EVERY_MS = 5_000

class ProgressOutput {
  private readonly output: TextOutput
  private shownAt = Number.NEGATIVE_INFINITY
  private isWaitingShown = false

  constructor(output: TextOutput) {
    this.output = output
  }

  show({ kind, message: raw, pool = '', slot = 0, proxy }: Progress): void {
    const message = printable(raw, this.output.isTTY === true)
    if (kind === 'waiting' && this.output.isTTY === true) {
      this.output.write(`\r\x1b[K${message.slice(0, (this.output.columns ?? 80) - 1)}`)
      this.isWaitingShown = true
      return
    }
    if (kind === 'waiting' && Date.now() - this.shownAt < WAITING_EVERY_MS) return
    this.clear()
    this.shownAt = Date.now()
    this.output.write(`${kind === 'output' ? `${slotName({ pool, slot, proxy })} | ` : ''}${message}\n`)
  }

  clear(): void {
    if (this.isWaitingShown) this.output.write('\r\x1b[K')
    this.isWaitingShown = false
  }
}
