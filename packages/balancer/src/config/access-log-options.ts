// `accessLog`: a line for each request that a worker serves.

import { accessFields, unknownAccessFields } from '@switchyard/worker-runtime'
import * as v from 'valibot'
import { fileNamePattern } from '../log-files/file-names.ts'
import type { AccessLogSettings } from '../settings.ts'
import { didYouMean, type Fault, type Loose, looseOf } from './faults.ts'
import { DEFAULT_FILE, type LogsConfig, logSettings, nameFaults } from './log-options.ts'
import { expected, shape, share, text, withDefaults } from './schema.ts'

export interface AccessLogConfig {
  /** `'combined'` as nginx and Apache write it, `'json'`, or a template such as `'{address} {method} {path} {status} {service}'`. Default `'combined'`. */
  format?: string | undefined
  /** Share of the requests that are logged, above 0, at most 1. Default 1. */
  sample?: number | undefined
  /** Name of the file in `logs.folder`; `{name}`, `{pool}` and `{slot}` are filled in. Default `'access.log'`. */
  file?: string | undefined
}

export const accessLogDefaults: Pick<AccessLogSettings, 'format' | 'sample' | 'file'> = {
  format: 'combined',
  sample: 1,
  file: 'access.log',
}
const NAMED_FORMATS = ['combined', 'json'] as const
const MAX_TEMPLATE = 2_048

export const accessLogEntries = {
  format: v.optional(
    expected(
      v.pipe(v.string(), v.minLength(1), v.maxLength(MAX_TEMPLATE)),
      `'combined', 'json' or a template of at most ${MAX_TEMPLATE} characters`,
    ),
  ),
  sample: share,
  file: v.optional(text),
}

export const accessLog = v.optional(shape(accessLogEntries))

export function accessLogFaults(config: Loose): Fault[] {
  if (config.accessLog === undefined) return []
  const { format, file = accessLogDefaults.file } = looseOf(config.accessLog)
  const logs = looseOf(config.logs)
  const faults = [...formatFaults(format), ...nameFaults('accessLog.file', file)]
  const taken = config.logs === undefined ? undefined : [logs.file ?? DEFAULT_FILE, logs.errorFile].find((name) => isNameOf(name, file))
  if (taken !== undefined)
    faults.push({
      path: 'accessLog.file',
      message: `'${file}' may be the name of a file of 'logs' too ('${taken}'): choose another, such as 'access_log'`,
    })
  return faults
}

/** May the file of the access log have a name of this template? Then `balancer logs` would take it for output of workers. */
function isNameOf(template: unknown, file: unknown): boolean {
  if (typeof template !== 'string' || typeof file !== 'string') return false
  return template === file || fileNamePattern(template, '').test(file)
}

/** Settings of a checked config. */
export function accessLogSettings(
  config: AccessLogConfig | undefined,
  logs: LogsConfig = {},
  folder: string,
): AccessLogSettings | undefined {
  if (config === undefined) return undefined
  const { folder: place, rotate } = logSettings(logs, folder)
  return { ...withDefaults(accessLogDefaults, config), folder: place, rotate }
}

function formatFaults(format: unknown): Fault[] {
  if (typeof format !== 'string' || (NAMED_FORMATS as readonly string[]).includes(format)) return []
  const path = 'accessLog.format'
  const [unknown] = unknownAccessFields(format)
  if (unknown !== undefined)
    return [
      {
        path,
        message: `the field '{${unknown}}' is unknown${didYouMean(unknown, accessFields)}; the fields are ${accessFields.join(', ')}`,
      },
    ]
  if (/[\r\n]/.test(format)) return [{ path, message: 'a template is one line' }]
  return /\{\w+\}/.test(format)
    ? []
    : [{ path, message: `expected 'combined', 'json' or a template with fields such as '{status}', got '${format}'` }]
}
