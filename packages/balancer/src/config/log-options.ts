// `logs`: the log files of the workers' output.

import { resolve } from 'node:path'
import * as v from 'valibot'
import { PLACEHOLDERS, unknownPlaceholders } from '../log-files/file-names.ts'
import type { LogRotationSettings, LogSettings } from '../settings.ts'
import { type Fault, type Loose, looseOf } from './faults.ts'
import { bytesOf, expected, flag, type SizeConfig, shape, text, whole, withDefaults } from './schema.ts'

export interface LogRotationConfig {
  /** A larger file is rotated. Default `'10M'`. */
  size?: SizeConfig | undefined
  /** Also after each such period of the local time: `'30m'`, `'1h'`, `'1d'`. Default: by size only. */
  interval?: string | undefined
  /** Rotated files of each log file; older ones are removed. Default 10. */
  keep?: number | undefined
  /** Compress rotated files with gzip. Default true. */
  compress?: boolean | undefined
}

export interface LogsConfig {
  /** Default `'logs'`, in the folder of the config file. */
  folder?: string | undefined
  /** Name of a log file; `{name}`, `{pool}` and `{slot}` are filled in. A name without them is one file for all. Default `'{pool}-{slot}.log'`. */
  file?: string | undefined
  /** A file of its own for what workers print on stderr. Default: `file`. */
  errorFile?: string | undefined
  /** Default `'text'`. */
  format?: 'text' | 'json' | undefined
  /** Begin each line of text with its time. Default true. */
  timestamps?: boolean | undefined
  /** false: another program rotates the files, and sends SIGUSR2. */
  rotate?: LogRotationConfig | false | undefined
}

/** Of the output of workers. */
export const DEFAULT_FILE = '{pool}-{slot}.log'
const DEFAULTS: Pick<LogSettings, 'file' | 'format' | 'timestamps'> = { file: DEFAULT_FILE, format: 'text', timestamps: true }
const DEFAULT_FOLDER = 'logs'
const DEFAULT_ROTATION: Omit<LogRotationSettings, 'interval'> = { sizeBytes: 10 * 2 ** 20, keep: 10, compress: true }
const MIN_BYTES = 64 * 2 ** 10
const MAX_KEPT = 10_000
const INTERVAL = /^([1-9]\d{0,3})([mhd])$/

const intervalPhrase = "a time such as '30m', '1h' or '1d'; minutes and hours must divide a day"

export const rotationEntries = {
  size: v.optional(v.custom((value) => (bytesOf(value) ?? 0) >= MIN_BYTES, `bytes from ${MIN_BYTES}, or a size such as '512K' or '10M'`)),
  interval: v.optional(
    expected(
      v.custom((value) => intervalOf(value) !== undefined),
      intervalPhrase,
    ),
  ),
  keep: whole(0, MAX_KEPT, `an integer from 0 to ${MAX_KEPT}`),
  compress: flag,
}

export const logEntries = {
  folder: v.optional(text),
  file: v.optional(text),
  errorFile: v.optional(text),
  format: v.optional(v.picklist(['text', 'json'], "'text' or 'json'")),
  timestamps: flag,
  rotate: v.optional(v.lazy((input) => (input === false ? v.literal(false) : shape(rotationEntries, 'an object or false')))),
}

export const logs = v.optional(shape(logEntries))

export function logFaults(config: Loose): Fault[] {
  const { file = DEFAULT_FILE, errorFile } = looseOf(config.logs)
  const faults = Object.entries({ file, errorFile }).flatMap(([key, template]) => nameFaults(`logs.${key}`, template))
  if (file === errorFile)
    faults.push({ path: 'logs.errorFile', message: "is the same as 'logs.file': leave it out, or choose another name" })
  return faults
}

/** Faults of the name of a log file. */
export function nameFaults(path: string, template: unknown): Fault[] {
  if (typeof template !== 'string') return []
  const [unknown] = unknownPlaceholders(template)
  if (unknown !== undefined)
    return [{ path, message: `'{${unknown}}' is unknown: use ${PLACEHOLDERS.map((name) => `{${name}}`).join(', ')}` }]
  if (template.includes('/') || template.includes('\0') || template === '.' || template === '..')
    return [{ path, message: `expected a file name without '/', got '${template}': the folder is 'logs.folder'` }]
  if (/\.(gz|partial)$/.test(template))
    return [{ path, message: `expected a name that does not end like a compressed file, got '${template}'` }]
  return []
}

/** Settings of a checked config. */
export function logSettings(config: LogsConfig, folder: string): LogSettings {
  const { folder: own = DEFAULT_FOLDER, file, errorFile, format, timestamps, rotate } = config
  return {
    ...withDefaults(DEFAULTS, { file, format, timestamps }),
    folder: resolve(folder, own),
    errorFile,
    rotate: rotate === false ? undefined : rotationSettings(rotate),
  }
}

function rotationSettings({ size, interval, keep, compress }: LogRotationConfig = {}): LogRotationSettings {
  return { ...withDefaults(DEFAULT_ROTATION, { sizeBytes: bytesOf(size), keep, compress }), interval: intervalOf(interval) }
}

function intervalOf(value: unknown): LogRotationSettings['interval'] {
  const [, digits, unit] = (typeof value === 'string' && INTERVAL.exec(value)) || []
  if (digits === undefined) return undefined
  const count = Number(digits)
  const isWhole = unit === 'd' || (unit === 'h' ? 24 : 1440) % count === 0
  return isWhole ? { count, unit: unit as 'm' | 'h' | 'd' } : undefined
}
