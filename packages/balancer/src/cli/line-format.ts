// Formats lines of the log for a person: a log line with time and level, a worker's line with its slot.

import type { LogEntry } from '../control/control-protocol.ts'
import { slotName } from '../worker-name.ts'
import { printable } from './printable.ts'

/** By level of pino: its name, and the code of its colour. */
const levels: Readonly<Record<number, readonly [name: string, colour: number]>> = {
  10: ['TRACE', 90],
  20: ['DEBUG', 34],
  30: ['INFO', 32],
  40: ['WARN', 33],
  50: ['ERROR', 31],
  60: ['FATAL', 31],
}
const STDOUT_COLOUR = 36
const STDERR_COLOUR = 33

/**
 * Escape sequences other than colours become visible. Further lines of one message are indented, so that they can't pass for log lines.
 * `colour`: the line is for a terminal.
 */
export function lineFormat(colour: boolean): (entry: LogEntry) => string {
  const coloured = (text: string, code: number) => (colour ? `\x1b[${code}m${text}\x1b[0m` : text)
  return ({ time, level, pool, slot, proxy, stream, msg: raw = '' }) => {
    const msg = printable(raw, colour).replaceAll('\n', '\n    ')
    if (stream !== undefined)
      return `${coloured(`${slotName({ pool: pool ?? '', slot: slot ?? 0, proxy })} | `, stream === 'stderr' ? STDERR_COLOUR : STDOUT_COLOUR)}${msg}\n`
    const [name, code] = levels[level] ?? [`LEVEL ${level}`, 0]
    return `[${clockTime(time)}] ${coloured(name, code)}: ${msg}\n`
  }
}

/** Hours, minutes and seconds in the zone of this process. */
function clockTime(ms: number): string {
  const date = new Date(ms)
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => String(part).padStart(2, '0')).join(':')
}
