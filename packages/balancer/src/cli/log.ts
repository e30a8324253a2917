// Where log lines go: readable on a terminal, JSON otherwise. What workers print is passed on whatever the level, with its seat in front.

import { type Logger, pino } from 'pino'
import { PinoPretty } from 'pino-pretty'
import type { TextOutput } from './io.ts'

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
  /** Resolves when everything is written, or after a second. */
  flush(): Promise<void>
}

/** Beyond this much that nobody reads, JSON lines are dropped rather than kept. */
const maxUnwrittenBytes = 16 * 1024 * 1024
const flushTimeoutMs = 1_000

/** Makes the log of a command. */
export function createLog(options: LogOptions): Log {
  return options.pretty ? readableLog(options) : jsonLog(options)
}

function readableLog({ output, level }: LogOptions): Log {
  const colour = output.isTTY === true
  const format = PinoPretty.prettyFactory({ colorize: colour, ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss', hideObject: true })
  // Formatted at once and not in a stream: lines of the log and of the workers keep their order.
  const logger = pino({ level }, { write: (line: string) => output.write(format(line)) })
  return {
    logger,
    output({ pool, slot, stream, line }) {
      if (level === 'silent') return
      const seat = `${pool}/${slot} | `
      output.write(`${colour ? `\x1b[${stream === 'stderr' ? 33 : 36}m${seat}\x1b[0m` : seat}${line}\n`)
    },
    flush: async () => {},
  }
}

function jsonLog({ output, level }: LogOptions): Log {
  // A reader that stands still must not stop the primary, as writing to a pipe at once would.
  const file = output === process.stdout ? pino.destination({ dest: 1, sync: false, maxLength: maxUnwrittenBytes }) : undefined
  const logger = pino({ level, base: null }, file ?? output)
  const workers = logger.child({}, { level: level === 'silent' ? 'silent' : 'info' })
  return {
    logger,
    output: ({ pool, slot, stream, line }) => workers.info({ pool, slot, stream }, line),
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
