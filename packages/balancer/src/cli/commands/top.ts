// `balancer top`: the workers, their load and the log of a running balancer on one screen, with keys to act on them.

import { BalancerError } from '../../errors.ts'
import { type FindBalancerOptions, findBalancer } from '../find-balancer.ts'
import type { CliIo } from '../io.ts'
import { isUtf8 } from '../top/sparkline.ts'
import { Top } from '../top/top.ts'

export interface ShowTopOptions extends FindBalancerOptions {
  /** Seconds from one status to the next. Default 1. */
  delay?: number | undefined
}

const DELAY_SECONDS = 1

/** Resolves with the exit code when the user quits. Throws ERR_NOT_RUNNING, or ERR_NO_TERMINAL. */
export async function showTop({ delay = DELAY_SECONDS, ...options }: ShowTopOptions, io: CliIo): Promise<number> {
  const { stdin: input, stdout: output } = process
  if (!input.isTTY || !output.isTTY || io.env.TERM === 'dumb')
    throw new BalancerError(
      'ERR_NO_TERMINAL',
      "'balancer top' needs a terminal, and its input or output is none. 'balancer status --watch' prints the same to a pipe or a file",
      { source: 'system' },
    )
  // The socket stays where it is after a restart, so the balancer is found once.
  const client = await findBalancer(options, io)
  await client.status()
  const hasColour = (io.env.NO_COLOR ?? '') === ''
  return new Top({ client, everyMs: delay * 1000, input, output, hasColour, isUtf8: isUtf8(io.env) }).run()
}
