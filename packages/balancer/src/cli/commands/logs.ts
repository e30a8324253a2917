// `balancer logs`: prints the newest lines of the log and of the workers' output, formatted as on a terminal.

import type { ControlClient } from '../../control/control-client.ts'
import { BalancerError } from '../../errors.ts'
import { type FindBalancerOptions, findBalancer } from '../find-balancer.ts'
import type { CliIo } from '../io.ts'
import { printableJson } from '../printable.ts'

export interface LogsOptions extends FindBalancerOptions {
  follow?: boolean | undefined
  lines: number
  pool?: string | undefined
  slot?: number | undefined
  json?: boolean | undefined
}

/** Resolves with the exit code. With `follow` that is when the balancer exits. */
export async function logs({ follow, lines, pool, slot, json, ...options }: LogsOptions, io: CliIo): Promise<number> {
  const client = await findBalancer(options, io)
  const { lineFormat } = await import('../line-format.ts')
  const format = lineFormat(io.stdout.isTTY === true)
  let isEmpty = true
  for await (const line of client.logs({ lines, follow, pool, slot })) {
    isEmpty = false
    if (json === true) io.stdout.write(`${printableJson('line' in line ? line.line : line)}\n`)
    else if ('line' in line) io.stdout.write(format(line.line))
    else io.stderr.write(`… ${line.lost} lines were skipped: this terminal reads too slowly\n`)
  }
  if (isEmpty && pool !== undefined && lines > 0) await assertExists(client, pool, slot)
  return 0
}

/** Distinguishes a worker without log lines from one that does not exist. Throws ERR_UNKNOWN_SEAT. */
async function assertExists(client: ControlClient, pool: string, slot: number | undefined): Promise<void> {
  const { pools } = await client.status()
  const found = pools.find(({ name }) => name === pool)
  if (found !== undefined && (slot === undefined || slot < found.desired || found.workers.some((worker) => worker.slot === slot))) return
  const what = found === undefined ? `pool '${pool}'` : `worker ${pool}/${slot}`
  throw new BalancerError('ERR_UNKNOWN_SEAT', `there is no ${what}; 'balancer status' lists the pools and workers`, { source: 'system' })
}
