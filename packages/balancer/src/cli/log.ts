// Writes the log: readable lines on a terminal, JSON otherwise. Lines that workers print are written at every level but silent.
// The newest lines are kept in a ring for `balancer logs`.

import { type Logger, pino } from 'pino'
import type { LogEntry } from '../control/control-protocol.ts'
import { LogRing } from '../control/log-ring.ts'
import type { TextOutput } from './io.ts'
import { lineFormat } from './line-format.ts'
import { printableJsonText } from './printable.ts'

/** Where the log goes. */
export interface LogOutput extends TextOutput {
  /** Calls back when everything is written. Left out: writes are synchronous, or nothing waits for them. */
  flush?(done: () => void): void
}

export interface LogOptions {
  output: LogOutput
  level: string
  pretty: boolean
}

/** A line that a worker printed. */
export interface OutputLine {
  pool: string
  slot: number
  stream: 'stdout' | 'stderr'
  line: string
}

export interface Log {
  logger: Logger
  output(line: OutputLine): void
  /** The newest lines. */
  ring: LogRing
  /** Resolves when everything is written, or after FLUSH_TIMEOUT_MS. */
  flush(): Promise<void>
}

/** JSON lines are dropped when more than this is unwritten, because their reader is slow. */
const MAX_UNWRITTEN_BYTES = 16 * 1024 * 1024
const FLUSH_TIMEOUT_MS = 1_000
const INFO_LEVEL = 30

export function createLog(options: LogOptions): Log {
  return options.pretty ? readableLog(options) : jsonLog(options)
}

function readableLog({ output, level }: LogOptions): Log {
  const ring = new LogRing()
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
  return {
    logger,
    ring,
    output(line) {
      if (level === 'silent') return
      const entry = entryOf(line)
      output.write(format(entry))
      ring.push(entry)
    },
    flush: () => flushed(output),
  }
}

function jsonLog({ output, level }: LogOptions): Log {
  const ring = new LogRing()
  // A synchronous write to a pipe would block the primary while the reader is slow.
  const isFile = output === process.stdout && output.isTTY !== true
  const file = isFile ? pino.destination({ dest: 1, sync: false, maxLength: MAX_UNWRITTEN_BYTES }) : undefined
  const destination = file ?? (output.isTTY === true ? { write: (line: string) => output.write(printableJsonText(line)) } : output)
  const logger = pino(
    { level, base: null },
    {
      write(line: string) {
        destination.write(line)
        ring.push(JSON.parse(line) as LogEntry)
      },
    },
  )
  const workers = pino({ level: level === 'silent' ? 'silent' : 'info', base: null }, destination)
  return {
    logger,
    ring,
    output(line) {
      const { pool, slot, stream, line: msg } = line
      workers.info({ pool, slot, stream }, msg)
      if (level !== 'silent') ring.push(entryOf(line))
    },
    flush: () => flushed(file ?? output),
  }
}

function flushed(output: Pick<LogOutput, 'flush'>): Promise<void> {
  return new Promise((resolve) => {
    if (output.flush === undefined) return resolve()
    const timer = setTimeout(resolve, FLUSH_TIMEOUT_MS)
    output.flush(() => {
      clearTimeout(timer)
      resolve()
    })
  })
}

function entryOf({ pool, slot, stream, line }: OutputLine): LogEntry {
  return { time: Date.now(), level: INFO_LEVEL, msg: line, pool, slot, stream }
}
