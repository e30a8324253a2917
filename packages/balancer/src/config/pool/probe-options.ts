// `readyWhen` and `healthWhen` of a pool: the requests by which the primary asks a worker whether it is ready or well.

import { validateHeaderName, validateHeaderValue } from 'node:http'
import * as v from 'valibot'
import type { HealthProbe, Probe } from '../../settings.ts'
import { defaultsOf, expected, milliseconds, type Options, positive, schemasOf, shape, withDefaults } from '../schema.ts'

/** A request from the balancer that a worker must answer. */
export interface ProbeConfig {
  path: string
  /** One good status, or the first and the last. Default `[200, 399]`. */
  status?: number | readonly [from: number, to: number] | undefined
  /** From the end of one probe to the start of the next. Default 250 for `readyWhen`, 10000 for `healthWhen`. */
  intervalMs?: number | undefined
  /** Default 1000 for `readyWhen`, 5000 for `healthWhen`. */
  timeoutMs?: number | undefined
  headers?: Readonly<Record<string, string>> | undefined
}

export interface HealthProbeConfig extends ProbeConfig {
  /** Failures in a row after which the worker is replaced. Default 3. */
  failures?: number | undefined
}

const DEFAULT_STATUS: Probe['status'] = [200, 399]

type Timing = Omit<Probe, 'path' | 'status' | 'headers'>

const readyOptions: Options<Timing> = {
  intervalMs: { schema: milliseconds(1), default: 250 },
  timeoutMs: { schema: milliseconds(1), default: 1_000 },
}

/** These are patient: a worker that computes for seconds is busy, not sick. */
const healthOptions: Options<Timing & Pick<HealthProbe, 'failures'>> = {
  intervalMs: { schema: milliseconds(1), default: 10_000 },
  timeoutMs: { schema: milliseconds(1), default: 5_000 },
  failures: { schema: positive(), default: 3 },
}

export const defaultReadyWhen = defaultsOf(readyOptions)
export const defaultHealthWhen = defaultsOf(healthOptions)

const statusPhrase = 'a status from 100 to 599, or the first and the last: [200, 399]'
const statusCode = v.pipe(v.number(), v.integer(), v.minValue(100), v.maxValue(599))
const status = v.optional(
  expected(
    v.union([
      statusCode,
      v.pipe(
        v.strictTuple([statusCode, statusCode]),
        v.check(([from, to]) => from <= to),
      ),
    ]),
    statusPhrase,
  ),
)
const headerFields = v.record(
  v.pipe(v.string(), v.check(passes(validateHeaderName), 'the name of a header field')),
  v.pipe(
    v.string('a string'),
    v.check(
      passes((value) => validateHeaderValue('x', value)),
      'the value of a header field',
    ),
  ),
  'an object of header names and values',
)
const requestPath = expected(v.pipe(v.string(), v.regex(/^\/[\x21-\x7e]*$/)), 'a path such as /healthz, percent-encoded')
const requestEntries = { path: requestPath, status, headers: v.optional(headerFields) }
export const readyEntries = { ...requestEntries, ...schemasOf(readyOptions) }
export const healthEntries = { ...requestEntries, ...schemasOf(healthOptions) }

/** In place of a probe: the app says itself that it is ready. */
export const READY_MESSAGE = 'message'

export const readyWhen = probe(readyEntries, [READY_MESSAGE])
export const healthWhen = probe(healthEntries)

/** A path alone stands for a probe. */
function probe(entries: v.ObjectEntries, words: readonly string[] = []) {
  const full = shape(entries, 'a path or an object')
  return v.optional(v.lazy((input) => (typeof input !== 'string' ? full : words.includes(input) ? v.string() : requestPath)))
}

/** Whether a check of Node's own does not throw. */
function passes(validate: (value: string) => void): (value: string) => boolean {
  return (value) => {
    try {
      validate(value)
      return true
    } catch {
      return false
    }
  }
}

/** A probe of a checked config, with the defaults of its kind. */
export function probeSettings<D extends object>(config: string | HealthProbeConfig | undefined, defaults: D) {
  if (config === undefined) return undefined
  const full: HealthProbeConfig = typeof config === 'string' ? { path: config } : config
  const { path, status = DEFAULT_STATUS, headers = {}, ...rest } = full
  const range = typeof status === 'number' ? ([status, status] as const) : status
  return { ...withDefaults(defaults, rest as Partial<D>), path, status: range, headers }
}
