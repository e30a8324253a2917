// `balancer logs`: the newest lines of the log and of what the workers print, as the log shows them on a terminal.

import type { CliIo } from './io.ts'
import { printableJson } from './printable.ts'
import { type ReachOptions, reach } from './reach.ts'

export interface LogsOptions extends ReachOptions {
  follow?: boolean | undefined
  lines: number
  pool?: string | undefined
  slot?: number | undefined
  json?: boolean | undefined
}

/** Resolves with the exit code; when it follows, only when the balancer ends or Ctrl-C is pressed. */
export async function logs({ follow, lines, pool, slot, json, ...options }: LogsOptions, io: CliIo): Promise<number> {
  const client = await reach(options, io)
  const { lineFormat } = await import('./log.ts')
  const format = lineFormat(io.stdout.isTTY === true)
  for await (const line of client.logs({ lines, follow, pool, slot })) {
    if (json === true) io.stdout.write(`${printableJson('line' in line ? line.line : line)}\n`)
    else if ('line' in line) io.stdout.write(format(line.line))
    else io.stderr.write(`… ${line.lost} lines were lost: they came faster than they were read\n`)
  }
  return 0
}
