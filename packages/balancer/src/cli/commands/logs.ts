// `balancer logs`: the newest lines of the log and of what the workers print, as the log shows them on a terminal.

import type { ControlClient } from '../../control/control-client.ts'
import { BalancerError } from '../../errors.ts'
import { findBalancer, type ReachOptions } from '../find-balancer.ts'
import type { CliIo } from '../io.ts'
import { printableJson } from '../printable.ts'

export interface LogsOptions extends ReachOptions {
  follow?: boolean | undefined
  lines: number
  pool?: string | undefined
  slot?: number | undefined
  json?: boolean | undefined
}

/** Resolves with the exit code; when it follows, only when the balancer ends or Ctrl-C is pressed. */
export async function logs({ follow, lines, pool, slot, json, ...options }: LogsOptions, io: CliIo): Promise<number> {
  const client = await findBalancer(options, io)
  const { lineFormat } = await import('../log.ts')
  const format = lineFormat(io.stdout.isTTY === true)
  let isEmpty = true
  for await (const line of client.logs({ lines, follow, pool, slot })) {
    isEmpty = false
    if (json === true) io.stdout.write(`${printableJson('line' in line ? line.line : line)}\n`)
    else if ('line' in line) io.stdout.write(format(line.line))
    else io.stderr.write(`… ${line.lost} lines were lost: they came faster than they were read\n`)
  }
  if (isEmpty && pool !== undefined && lines > 0) await assertExists(client, pool, slot)
  return 0
}

/** Nothing is said of a worker that does not exist, and the command must not look as if it were silent. Throws ERR_UNKNOWN_SEAT. */
async function assertExists(client: ControlClient, pool: string, slot: number | undefined): Promise<void> {
  const { pools } = await client.status()
  const found = pools.find(({ name }) => name === pool)
  if (found !== undefined && (slot === undefined || slot < found.desired || found.workers.some((worker) => worker.slot === slot))) return
  const what = found === undefined ? `pool '${pool}'` : `worker ${pool}/${slot}`
  throw new BalancerError('ERR_UNKNOWN_SEAT', `there is no ${what}; 'balancer status' lists the pools and workers`, { source: 'system' })
}
