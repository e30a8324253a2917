// `balancer stop`: as SIGTERM, but it tells how far that is and ends when the process is gone.

import { BalancerError } from '../../errors.ts'
import { findBalancer } from '../find-balancer.ts'
import type { CliIo } from '../io.ts'
import { printable } from '../printable.ts'
import { follow, type OperateOptions } from '../run-operation.ts'

export interface StopOptions extends OperateOptions {
  /** Without waiting for what has begun. */
  now?: boolean | undefined
}

const goneTimeoutMs = 15_000
const lookEveryMs = 20

/** Resolves with the exit code. Throws ERR_NOT_RUNNING when there is nothing to stop. */
export async function stop(options: StopOptions, io: CliIo): Promise<number> {
  const client = await findBalancer(options, io)
  const { pid, name } = await client.status()
  try {
    await follow(client, 'stop', { now: options.now === true }, options, io)
  } catch (error) {
    // It may end faster than it can say so.
    if (!(error instanceof BalancerError && error.code === 'ERR_NOT_RUNNING')) throw error
  }
  const deadline = Date.now() + goneTimeoutMs
  while (io.isAlive(pid)) {
    if (Date.now() > deadline)
      throw new Error(`the balancer has stopped, but its process ${pid} is still there after ${goneTimeoutMs / 1000} s`)
    await new Promise((resolve) => setTimeout(resolve, lookEveryMs))
  }
  if (options.json !== true) io.stdout.write(`${printable(name)} has stopped (pid ${pid})\n`)
  return 0
}
