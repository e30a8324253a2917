// Where log lines go: readable on a terminal, JSON otherwise. What workers print is passed on whatever the level, with its seat in front. The newest lines are kept in
// a ring besides, for `balancer logs`.

import { type Logger, pino } from 'pino'
import { PinoPretty } from 'pino-pretty'
import type { LogEntry } from '../control/control-protocol.ts'
import { LogRing } from '../control/log-ring.ts'
import type { TextOutput } from './io.ts'
import { printable, printableJsonText } from './printable.ts'

export interface LogOptions {
  output: TextOutput
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
  /** The newest lines, whatever becomes of the others. */
  ring: LogRing
  /** Resolves when everything is written, or after a second. */
  flush(): Promise<void>
}

/** Beyond this much that nobody reads, JSON lines are dropped rather than kept. */
const maxUnwrittenBytes = 16 * 1024 * 1024
const flushTimeoutMs = 1_000
const infoLevel = 30

/** Makes the log of a command. */
export function createLog(options: LogOptions): Log {
  return options.pretty ? readableLog(options) : jsonLog(options)
}

function readableLog({ output, level }: LogOptions): Log {
  const ring = new LogRing()
  const format = lineFormat(output.isTTY === true)
  // Formatted at once and not in a stream: lines of the log and of the workers keep their order.
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
    flush: async () => {},
  }
}

/**
 * How a line reads on a terminal, with its end: of the log with time and level, of a worker with its seat. Of what is in it a terminal obeys colours only; what
 * follows in a message of several lines stands back, so that it is no line of the log.
 */
export function lineFormat(colour: boolean): (entry: LogEntry) => string {
  const format = PinoPretty.prettyFactory({ colorize: colour, ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss', hideObject: true })
  return (entry) => {
    const { pool, slot, stream, msg: said = '' } = entry
    const msg = printable(said, colour).replaceAll('\n', '\n    ')
    if (stream === undefined) return format({ ...entry, msg })
    const workerSlot = `${pool}/${slot} | `
    return `${colour ? `\x1b[${stream === 'stderr' ? 33 : 36}m${workerSlot}\x1b[0m` : workerSlot}${msg}\n`
  }
}

function jsonLog({ output, level }: LogOptions): Log {
  const ring = new LogRing()
  // A reader that stands still must not stop the primary, as writing to a pipe at once would.
  const isFile = output === process.stdout && output.isTTY !== true
  const file = isFile ? pino.destination({ dest: 1, sync: false, maxLength: maxUnwrittenBytes }) : undefined
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
    flush: () =>
      new Promise((resolve) => {
        if (file === undefined) return resolve()
        const timer = setTimeout(resolve, flushTimeoutMs)
        file.flush(() => {
          clearTimeout(timer)
          resolve()
        })
      }),
  }
}

function entryOf({ pool, slot, stream, line }: OutputLine): LogEntry {
  return { time: Date.now(), level: infoLevel, msg: line, pool, slot, stream }
}
