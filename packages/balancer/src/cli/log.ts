// Writes the log: readable lines on a terminal, JSON otherwise. Lines that workers print are written at every level but silent, or to log files of their
// own. The newest lines are kept in a ring for `balancer logs`.

import { type Logger, pino } from 'pino'
import type { LogEntry } from '../control/control-protocol.ts'
import { LogRing } from '../control/log-ring.ts'
import { gapText, lineText, type OutputLine } from '../log-files/line-text.ts'
import { LineWriter } from '../log-files/line-writer.ts'
import type { LogStatus } from '../status.ts'
import type { TextOutput } from './io.ts'
import { lineFormat } from './line-format.ts'
import { printableJsonText } from './printable.ts'

/** Where the log goes. */
export interface LogOutput extends TextOutput {
  /** Calls back when everything is written. Left out: writes are synchronous, or nothing waits for them. */
  flush?(done: () => void): void
  /** What was written. Left out: it is not counted. */
  readonly writer?: Pick<LineWriter, 'written' | 'dropped' | 'failure'>
}

/** Where the workers' lines go instead. */
export interface OutputFiles {
  write(line: OutputLine, time: number): void
  flush(): Promise<void>
  readonly status: LogStatus
}

export interface LogOptions {
  output: LogOutput
  level: string
  pretty: boolean
  /** A terminal gets the workers' lines too. Left out: they are part of the log. */
  files?: OutputFiles | undefined
}

export type { OutputLine }

export interface Log {
  logger: Logger
  output(line: OutputLine): void
  /** The newest lines. */
  ring: LogRing
  /** undefined: nothing counts the lines. */
  readonly status: LogStatus | undefined
  /** Resolves when everything is written, or after FLUSH_TIMEOUT_MS. */
  flush(): Promise<void>
}

const FLUSH_TIMEOUT_MS = 1_000
/** The reader of a pipe may be slow for a moment. */
const PIPE_RETRY_MS = 100
const INFO_LEVEL = 30
const STDOUT_FD = 1
const JSON_LINES = { format: 'json', timestamps: true, isNamed: false } as const

export function createLog(options: LogOptions): Log {
  const { output, level, pretty, files } = options
  const ring = new LogRing()
  // Standard output that is no terminal may be a pipe with a slow reader: a synchronous write would block the primary.
  const destination = !pretty && output === process.stdout && output.isTTY !== true ? standardOutput() : output
  const { logger, writeOutput } = pretty ? readableLog(options, ring) : jsonLog(options, destination, ring)
  const isShown = level !== 'silent' && (files === undefined || output.isTTY === true)
  return {
    logger,
    ring,
    output(line) {
      // One time in the file and in the ring: `balancer logs` compares them.
      const time = Date.now()
      files?.write(line, time)
      if (level === 'silent') return
      if (isShown) writeOutput(line, time)
      ring.push(entryOf(line, time))
    },
    get status() {
      return sumOf(destination.writer, files?.status)
    },
    flush: () => bounded(Promise.all([flushed(destination), files?.flush()])),
  }
}

interface LogForm {
  logger: Logger
  writeOutput(line: OutputLine, time: number): void
}

function readableLog({ output, level }: LogOptions, ring: LogRing): LogForm {
  const format = lineFormat(output.isTTY === true)
  // Formatted synchronously, not in a stream: log lines and worker lines keep their order.
  const logger = pino(
    { level },
    {
      write(line: string) {
        const entry = JSON.parse(line) as LogEntry
        output.write(format(entry))
        ring.push(entry)
      },
    },
  )
  return { logger, writeOutput: (line, time) => output.write(format(entryOf(line, time))) }
}

function jsonLog({ output, level }: LogOptions, destination: LogOutput, ring: LogRing): LogForm {
  const write =
    output.isTTY === true ? (line: string) => destination.write(printableJsonText(line)) : (line: string) => destination.write(line)
  const logger = pino(
    { level, base: null },
    {
      write(line: string) {
        write(line)
        ring.push(JSON.parse(line) as LogEntry)
      },
    },
  )
  const text = lineText(JSON_LINES)
  return { logger, writeOutput: (line, time) => write(text(line, time)) }
}

/** Lines that the reader of a pipe does not take are dropped, and the next line that it takes says how many. */
function standardOutput(): LogOutput {
  const writer = new LineWriter({
    target: { descriptor: () => STDOUT_FD },
    retryMs: PIPE_RETRY_MS,
    gapLine: gapText(JSON_LINES),
    // The reader is gone for good.
    isFinal: ({ code }) => code === 'EPIPE' || code === 'EBADF',
  })
  return { writer, write: (line) => writer.write(line), flush: (done) => writer.flush(done) }
}

function sumOf(own: LogOutput['writer'], files: LogStatus | undefined): LogStatus | undefined {
  if (own === undefined) return files
  return {
    written: own.written + (files?.written ?? 0),
    dropped: own.dropped + (files?.dropped ?? 0),
    failure: own.failure?.message ?? files?.failure ?? null,
  }
}

function flushed(output: Pick<LogOutput, 'flush'>): Promise<void> {
  return new Promise((resolve) => (output.flush === undefined ? resolve() : output.flush(resolve)))
}

async function bounded(work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, FLUSH_TIMEOUT_MS)
  })
  await Promise.race([work, late])
  clearTimeout(timer)
}

function entryOf({ pool, slot, proxy, stream, line }: OutputLine, time: number): LogEntry {
  return { time, level: INFO_LEVEL, msg: line, pool, slot, ...(proxy === true && { proxy }), stream }
}
