// `balancer stop`: stops the balancer as SIGTERM does, shows the progress, and returns when its process has exited.

import { BalancerError } from '../../errors.ts'
import { findBalancer } from '../find-balancer.ts'
import type { CliIo } from '../io.ts'
import { printable } from '../printable.ts'
import { follow, type RunOperationOptions } from '../run-operation.ts'

export interface StopOptions extends RunOperationOptions {
  /** Do not wait for requests under way. */
  now?: boolean | undefined
}

const EXIT_TIMEOUT_MS = 15_000
const POLL_MS = 20

/** Resolves with the exit code. Throws ERR_NOT_RUNNING. */
export async function stop(options: StopOptions, io: CliIo): Promise<number> {
  const client = await findBalancer(options, io)
  const { pid, name } = await client.status()
  try {
    await follow(client, 'stop', { now: options.now === true }, options, io)
  } catch (error) {
    // The balancer may exit before its answer arrives.
    if (!(error instanceof BalancerError && error.code === 'ERR_NOT_RUNNING')) throw error
  }
  const deadline = Date.now() + EXIT_TIMEOUT_MS
  while (io.isAlive(pid)) {
    if (Date.now() > deadline)
      throw new Error(`the balancer has stopped, but its process ${pid} still runs after ${EXIT_TIMEOUT_MS / 1000} s`)
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
  if (options.json !== true) io.stdout.write(`${printable(name)} has stopped (pid ${pid})\n`)
  return 0
}
