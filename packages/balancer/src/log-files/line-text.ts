// How a line of a worker looks in a log file, and reads it back.

import { slotName } from '../worker-name.ts'

/** A line that a worker printed. */
export interface OutputLine {
  pool: string
  slot: number
  /** The worker passes requests to upstream servers. */
  proxy?: boolean | undefined
  stream: 'stdout' | 'stderr'
  line: string
}

export interface LineTextOptions {
  readonly format: 'text' | 'json'
  readonly timestamps: boolean
  /** The name of the file names pool and slot, so that lines need not. */
  readonly isNamed: boolean
}

/** A line of a file; what the file does not say is undefined. */
export interface ReadLine {
  readonly time: number | undefined
  readonly level: number
  readonly msg: string
  readonly pool?: string | undefined
  readonly slot?: number | undefined
  readonly proxy?: boolean | undefined
  readonly stream?: 'stdout' | 'stderr' | undefined
}

const INFO_LEVEL = 30
const WARN_LEVEL = 40
const TIMED = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) /
const FROM_WORKER = /^([A-Za-z][\w-]{0,62})\/(proxy\/)?(\d{1,6}) \| /
const FROM_BALANCER = 'balancer: '

/** Returns what turns a line of a worker into text with a line feed. `time` in milliseconds. */
export function lineText({ format, timestamps, isNamed }: LineTextOptions): (line: OutputLine, time: number) => string {
  const stamp = timeText()
  if (format === 'json') {
    return ({ pool, slot, proxy, stream, line }, time) =>
      `{"level":${INFO_LEVEL},"time":${time},"pool":"${pool}","slot":${slot}${proxy === true ? ',"proxy":true' : ''},"stream":"${stream}","msg":${JSON.stringify(line)}}\n`
  }
  return (line, time) => `${timestamps ? stamp(time) : ''}${isNamed ? '' : `${slotName(line)} | `}${line.line}\n`
}

/** The line that stands where lines were lost. */
export function gapText({ format, timestamps }: LineTextOptions, now: () => number = Date.now): (lost: number) => string {
  return (lost) => {
    const msg = `${lost} ${lost === 1 ? 'line was' : 'lines were'} lost here, because the file could not be written`
    if (format === 'json') return `{"level":${WARN_LEVEL},"time":${now()},"msg":"${msg}","lost":${lost}}\n`
    return `${timestamps ? timeText()(now()) : ''}${FROM_BALANCER}${msg}\n`
  }
}

/** Reads a line of either format. `origin`: what the name of its file says. */
export function readLineText(text: string, origin: Pick<ReadLine, 'pool' | 'slot' | 'stream'> = {}): ReadLine {
  if (text.startsWith('{')) {
    const entry = readJson(text)
    if (entry !== undefined) return entry
  }
  const [stamp = '', time] = TIMED.exec(text) ?? []
  const rest = text.slice(stamp.length)
  const timeMs = time === undefined ? undefined : Date.parse(time)
  if (rest.startsWith(FROM_BALANCER) && rest.includes(' lost here, '))
    return { time: timeMs, level: WARN_LEVEL, msg: rest.slice(FROM_BALANCER.length) }
  const [prefix = '', pool, proxy, slot] = (origin.pool === undefined && FROM_WORKER.exec(rest)) || []
  const named = pool === undefined ? {} : { pool, slot: Number(slot), ...(proxy !== undefined && { proxy: true }) }
  return { time: timeMs, level: INFO_LEVEL, stream: 'stdout', ...origin, ...named, msg: rest.slice(prefix.length) }
}

function readJson(text: string): ReadLine | undefined {
  try {
    const entry = JSON.parse(text) as Partial<ReadLine>
    return typeof entry.time === 'number' && typeof entry.level === 'number' && typeof entry.msg === 'string'
      ? (entry as ReadLine)
      : undefined
  } catch {
    return undefined
  }
}

/** Formatting a date takes longer than the rest of a line, and many lines have the same millisecond. */
function timeText(): (ms: number) => string {
  let lastMs = Number.NaN
  let text = ''
  return (ms) => {
    if (ms !== lastMs) {
      lastMs = ms
      text = `${new Date(ms).toISOString()} `
    }
    return text
  }
}
