// `balancer logs`: prints the newest lines of the log and of the workers' output, formatted as on a terminal. Lines that the balancer does not keep in
// memory any more come from its log files, which this process reads.

import type { ControlClient } from '../../control/control-client.ts'
import type { LogEntry, LogLine } from '../../control/control-protocol.ts'
import { BalancerError } from '../../errors.ts'
import type { FileHistory } from '../../log-files/file-history.ts'
import { type FindBalancerOptions, findBalancer } from '../find-balancer.ts'
import type { CliIo } from '../io.ts'
import { printableJson } from '../printable.ts'
import { assertWorkerName } from '../worker-of-name.ts'

export interface LogsOptions extends FindBalancerOptions {
  follow?: boolean | undefined
  /** undefined: 50, or with `since` all. */
  lines?: number | undefined
  /** Older lines are left out. Milliseconds. */
  since?: number | undefined
  /** Other lines are left out. */
  grep?: RegExp | undefined
  pool?: string | undefined
  slot?: number | undefined
  proxy?: boolean | undefined
  json?: boolean | undefined
}

const DEFAULT_LINES = 50
/** What a balancer keeps in memory. */
const MAX_KEPT = 1_000

/** Resolves with the exit code. With `follow` that is when the balancer exits. Throws ERR_LOG_FILE if a log file can't be read. */
export async function logs(options: LogsOptions, io: CliIo): Promise<number> {
  const { follow, since, pool, slot, proxy, grep } = options
  const count = options.lines ?? (since === undefined ? DEFAULT_LINES : undefined)
  const client = await findBalancer(options, io)
  if (pool !== undefined && slot !== undefined) {
    const found = (await client.status()).pools.find(({ name }) => name === pool)
    if (found !== undefined) assertWorkerName(found, { slot, proxy })
  }
  const files = await client.logFiles()
  const printer = await Printer.create(options, io)
  const kept: LogEntry[] = []
  const isPlain = since === undefined && grep === undefined && (files === undefined || (files.own === null && files.workers === null))
  const answer = client.logs({ lines: isPlain || count === 0 ? (count ?? MAX_KEPT) : MAX_KEPT, follow, mark: true, pool, slot })
  // Without the mark of a newer balancer there is no telling when its old lines end.
  for await (const line of files === undefined ? [] : untilMark(answer)) {
    if ('line' in line) kept.push(line.line)
    else printer.print(line)
  }
  const matches = ({ time, msg }: { time?: number | undefined; msg: string }): boolean =>
    (since === undefined || (time ?? 0) >= since) && (grep?.test(msg) ?? true)
  const matching = kept.filter(matches)
  const missing = count === undefined ? undefined : Math.max(0, count - matching.length)
  if (files !== undefined && missing !== 0 && !(since !== undefined && (kept[0]?.time ?? since) < since)) {
    const { FileHistory } = await import('../../log-files/file-history.ts')
    const history = new FileHistory(files, { count: missing, sinceMs: since, pool, slot, matches, known: kept })
    await printer.printHistory(history)
  }
  for (const line of count === undefined ? matching : matching.slice(Math.max(0, matching.length - count))) printer.print({ line })
  for await (const line of answer) if (!('line' in line) || matches(line.line)) printer.print(line)
  if (printer.isEmpty && pool !== undefined && count !== 0) await assertExists(client, pool, slot)
  return 0
}

/** Yields the lines that the balancer kept. Later ones stay in the answer. */
async function* untilMark(answer: AsyncGenerator<LogLine>): AsyncGenerator<LogLine> {
  for (;;) {
    const { done, value } = await answer.next()
    if (done === true || 'kept' in value) return
    yield value
    // The mark may be lost too.
    if ('lost' in value) return
  }
}

class Printer {
  isEmpty = true
  private readonly io: CliIo
  private readonly isJson: boolean
  private readonly format: (entry: LogEntry) => string

  static async create({ json }: LogsOptions, io: CliIo): Promise<Printer> {
    const { lineFormat } = await import('../line-format.ts')
    return new Printer(io, json === true, lineFormat(io.stdout.isTTY === true))
  }

  private constructor(io: CliIo, isJson: boolean, format: (entry: LogEntry) => string) {
    this.io = io
    this.isJson = isJson
    this.format = format
  }

  print(line: LogLine): void {
    if ('kept' in line) return
    this.isEmpty = false
    if (this.isJson) this.io.stdout.write(`${printableJson('line' in line ? line.line : line)}\n`)
    else if ('line' in line) this.io.stdout.write(this.format(line.line))
    else this.io.stderr.write(`… ${line.lost} lines were skipped: this terminal reads too slowly\n`)
  }

  async printHistory(history: FileHistory): Promise<void> {
    try {
      for await (const line of history.lines()) this.print({ line: line as LogEntry })
    } catch (cause) {
      throw new BalancerError(
        'ERR_LOG_FILE',
        `A log file can't be read: ${(cause as Error).message}. Run the command as the user of the balancer`,
        {
          source: 'system',
          cause,
        },
      )
    }
    if (history.hasUntimed)
      this.io.stderr.write("… older lines without a time stamp were left out: read the files themselves, or set 'logs.timestamps'\n")
  }
}

/** Distinguishes a worker without log lines from one that does not exist. Throws ERR_UNKNOWN_SEAT. */
async function assertExists(client: ControlClient, pool: string, slot: number | undefined): Promise<void> {
  const { pools } = await client.status()
  const found = pools.find(({ name }) => name === pool)
  if (found !== undefined && (slot === undefined || slot < found.desired || found.workers.some((worker) => worker.slot === slot))) return
  const what = found === undefined ? `pool '${pool}'` : `worker ${pool}/${slot}`
  throw new BalancerError('ERR_UNKNOWN_SEAT', `there is no ${what}; 'balancer status' lists the pools and workers`, { source: 'system' })
}
