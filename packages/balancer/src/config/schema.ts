// Building blocks for the schemas of the sections, and the shape check that runs them. Each block names in one phrase what an option may be.

import { cookieNameForm, trustedProxyFault } from '@switchyard/routing'
import * as v from 'valibot'
import { didYouMean, type Fault, formatPath, show } from './faults.ts'

/** One option: what a config may write, and the value that stands for it when it is left out. */
export interface Option<T> {
  readonly schema: v.GenericSchema
  readonly default: T
}

/** A table of options that have the same names as their settings. */
export type Options<T> = { readonly [Name in keyof T]: Option<T[Name]> }

export function schemasOf<T>(options: Options<T>): { readonly [Name in keyof T]: v.GenericSchema } {
  return mapOptions(options, ({ schema }) => schema) as { [Name in keyof T]: v.GenericSchema }
}

export function defaultsOf<T>(options: Options<T>): T {
  return mapOptions(options, (option) => option.default) as T
}

function mapOptions<T>(options: Options<T>, value: (option: Option<unknown>) => unknown): Record<string, unknown> {
  return Object.fromEntries(Object.entries<Option<unknown>>(options).map(([name, option]) => [name, value(option)]))
}

/** A config laid over defaults. A key with the value undefined counts as left out. */
export function withDefaults<D extends object>(defaults: D, config: { [Name in keyof D]?: D[Name] | undefined } = {}): D {
  return { ...defaults, ...Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined)) }
}

/** Timers of Node fire at once when they are longer than this. */
const MAX_TIMER_MS = 2 ** 31 - 1

/** A smaller limit of memory is a slip: no worker can start within it. */
const MIN_SIZE_BYTES = 2 ** 20

/** Gives a schema one message, whichever of its rules fails. */
export function expected<T extends v.GenericSchema>(schema: T, phrase: string): T {
  return v.config(schema, { message: phrase, abortPipeEarly: true })
}

/** An object with these keys. Any other key is a fault. */
export function shape<const E extends v.ObjectEntries>(entries: E, phrase = 'an object') {
  const object = v.pipe(
    v.looseObject(entries, phrase),
    v.rawCheck(({ dataset, addIssue }) => {
      const input: unknown = dataset.value
      if (typeof input !== 'object' || input === null) return
      for (const [key, value] of Object.entries(input)) {
        if (Object.hasOwn(entries, key)) continue
        addIssue({
          message: `unknown option${didYouMean(key, Object.keys(entries))}`,
          path: [{ type: 'object', origin: 'key', input: input as Record<string, unknown>, key, value }],
        })
      }
    }),
  )
  return v.lazy((input) => (Array.isArray(input) ? v.never(phrase) : object))
}

export function whole(least: number, most: number, phrase: string) {
  return v.optional(expected(v.pipe(v.number(), v.integer(), v.minValue(least), v.maxValue(most)), phrase))
}

export const positive = () => whole(1, Number.MAX_SAFE_INTEGER, 'a positive integer')
export const countFromZero = whole(0, Number.MAX_SAFE_INTEGER, 'an integer from 0')
export const milliseconds = (least: 0 | 1) => whole(least, MAX_TIMER_MS, `milliseconds from ${least} to ${MAX_TIMER_MS}`)
export const countOrMax = v.optional(
  expected(v.union([v.pipe(v.number(), v.integer(), v.minValue(1)), v.literal('max')]), "a positive integer or 'max'"),
)
export const share = v.optional(expected(v.pipe(v.number(), v.gtValue(0), v.maxValue(1)), 'a share above 0, at most 1'))
export const flag = v.optional(v.boolean('true or false'))

export const text = expected(v.pipe(v.string(), v.minLength(1)), 'a string')
export const texts = v.optional(v.array(text, 'a list of strings'))
export const variableName = expected(v.pipe(v.string(), v.regex(/^[A-Za-z_]\w*$/)), 'the name of an environment variable')
export const cookieName = expected(v.pipe(v.string(), v.regex(cookieNameForm)), "the name of a cookie, such as 'connect.sid'")

export const size = v.optional(
  v.custom((input) => (bytesOf(input) ?? 0) >= MIN_SIZE_BYTES, `bytes from ${MIN_SIZE_BYTES}, or a size such as '512M' or '1.5G'`),
)

const trustedProxy = v.pipe(
  v.string('a string'),
  v.check((input) => trustedProxyFault(input) === undefined, "an address, a CIDR such as '10.0.0.0/8', or 'unix'"),
)

export const trustedProxies = v.optional(v.array(trustedProxy, 'a list of strings'))

/** The same, with at least one. */
export const trustedProxyList = v.pipe(
  v.array(trustedProxy, 'a list of strings'),
  v.nonEmpty("at least one address, or a CIDR such as '10.0.0.0/8'"),
)

/** Bytes, or a string such as `'512M'` or `'1.5G'`. */
export type SizeConfig = number | string

const UNITS = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 } as const

/** Whole bytes of a size; undefined when it is none. K, M, G and T are powers of 1024, as Node counts memory. */
export function bytesOf(size: unknown): number | undefined {
  if (typeof size === 'number') return Number.isSafeInteger(size) && size > 0 ? size : undefined
  const [, digits, unit] = (typeof size === 'string' && /^(\d+(?:\.\d+)?) ?([KMGT])(?:i?B)?$/i.exec(size)) || []
  if (digits === undefined || unit === undefined) return undefined
  const bytes = Math.round(Number(digits) * UNITS[unit.toUpperCase() as keyof typeof UNITS])
  return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : undefined
}

/** Every fault in the shape of a config. A config without one matches its types. */
export function shapeFaults(schema: v.GenericSchema, input: unknown): Fault[] {
  const { issues = [] } = v.safeParse(schema, input)
  return issues.map((issue) => {
    const path = formatPath((issue.path ?? []).map((item: { key: unknown }) => item.key))
    return { path, message: messageOf(issue, path) }
  })
}

function messageOf(issue: v.BaseIssue<unknown>, path: string): string {
  if (issue.type === 'raw_check') return issue.message
  if (issue.kind === 'schema' && issue.input === undefined && path !== '') return 'is missing'
  return `expected ${issue.message}, got ${isSecret(path) ? hide(issue.input) : show(issue.input)}`
}

/** Faults are logged, so they must not quote secrets, urls with passwords or environments. */
function isSecret(path: string): boolean {
  return /^(sessions\.)?(secret|url)/.test(path) || /\.(env|headers)\b/.test(path)
}

function hide(value: unknown): string {
  return typeof value === 'string' ? `a string of ${value.length} characters` : `a ${Array.isArray(value) ? 'list' : typeof value}`
}
