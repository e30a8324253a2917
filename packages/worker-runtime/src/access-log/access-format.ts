// The lines of the access log: `combined` as nginx and Apache write it, `json`, or a template with fields in braces. A line is ASCII. What a client sent
// is escaped, so that it ends no line and moves no cursor.

import { type EndedEntry, fieldsOf, type LoggedFields } from './access-entry.ts'
import type { AccessField } from './access-fields.ts'

/** What is the same for every line of a worker. */
export interface AccessFormatContext {
  readonly pool: string
  readonly slot: number
  /** The name of the route of a request. */
  routeOf(ended: EndedEntry): string
}

export type AccessLine = (ended: EndedEntry) => string
type FieldText = (ended: EndedEntry, fields: LoggedFields, context: AccessFormatContext) => string

const PLACEHOLDER = /\{(\w+)\}/
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const
const NONE = '-'
/** Quotes, backslashes, control characters, and everything beyond ASCII, as nginx escapes it. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const UNSAFE = /["\\\x00-\x1f\x7f-\uffff]/
const UNSAFE_ALL = new RegExp(UNSAFE, 'g')
const BEYOND_ASCII = /[\x7f-\uffff]/g

const texts: Readonly<Record<AccessField, FieldText>> = {
  address: ({ entry }) => text(entry.address),
  agent: (_, { agent }) => text(agent),
  bytes: ({ bytes }) => (bytes === undefined ? NONE : String(bytes)),
  host: (_, { host }) => text(host),
  iso: ({ endedMs }) => new Date(endedMs).toISOString(),
  method: ({ entry }) => text(entry.request.method),
  path: ({ entry }) => text(pathOf(entry.url)),
  placement: ({ entry }) => entry.placement ?? NONE,
  pool: (_, __, { pool }) => pool,
  protocol: ({ entry }) => `HTTP/${entry.request.httpVersion}`,
  referer: (_, { referer }) => text(referer),
  route: (ended, _, context) => text(context.routeOf(ended)),
  service: ({ serviceMs }) => serviceMs.toFixed(1),
  slot: (_, __, { slot }) => String(slot),
  status: ({ status }) => String(status),
  time: ({ endedMs }) => logTime(endedMs),
  url: ({ entry }) => text(entry.url),
  user: (_, { authorization }) => text(userOf(authorization)),
  wait: ({ entry }) => (entry.waitMs === undefined ? NONE : String(entry.waitMs)),
}

/** Returns what makes lines without their end. `format`: `combined`, `json` or a template. Unknown fields stay as they are. */
export function accessLine(format: string, context: AccessFormatContext): AccessLine {
  if (format === 'combined') return combinedLine
  return format === 'json' ? jsonLine(context) : templateLine(format, context)
}

function combinedLine({ entry, endedMs, status, bytes }: EndedEntry): string {
  const { request, url, address } = entry
  const { authorization, referer, agent } = fieldsOf(request)
  const user = authorization === undefined ? NONE : text(userOf(authorization))
  return `${text(address)} - ${user} [${logTime(endedMs)}] "${request.method} ${text(url)} HTTP/${request.httpVersion}" ${status} ${bytes ?? NONE} "${text(referer)}" "${text(agent)}"`
}

function templateLine(template: string, context: AccessFormatContext): AccessLine {
  const parts = template.split(PLACEHOLDER)
  // Texts and names in turn.
  const first = parts[0] as string
  const rest: (readonly [FieldText, string])[] = []
  for (let at = 1; at < parts.length; at += 2) {
    const name = parts[at] as string
    rest.push([Object.hasOwn(texts, name) ? texts[name as AccessField] : () => `{${name}}`, parts[at + 1] as string])
  }
  return (ended) => {
    const fields = fieldsOf(ended.entry.request)
    let line = first
    for (const [of, behind] of rest) line += of(ended, fields, context) + behind
    return line
  }
}

/** Written by hand: JSON.stringify of an object takes twice as long. Fields without a value are left out. */
function jsonLine(context: AccessFormatContext): AccessLine {
  const place = `,"pool":${quoted(context.pool)},"slot":${context.slot},"route":`
  return (ended) => {
    const { entry, endedMs, serviceMs, status, bytes, isAborted } = ended
    const { request, url, address, waitMs, placement } = entry
    const { host, referer, agent } = fieldsOf(request)
    const named = (name: string, value: string | undefined): string => (value === undefined ? '' : `,"${name}":${quoted(value)}`)
    const numbers = `"status":${status}${bytes === undefined ? '' : `,"bytes":${bytes}`}`
    const client = `${named('address', address)},"method":"${request.method}"${named('host', host)},"url":${quoted(url)}`
    const times = `${waitMs === undefined ? '' : `,"waitMs":${waitMs}`},"serviceMs":${Math.round(serviceMs * 10) / 10}`
    const end = `${placement === undefined ? '' : `,"placement":"${placement}"`}${isAborted ? ',"aborted":true' : ''}`
    return `{"time":${endedMs}${client},"protocol":"HTTP/${request.httpVersion}",${numbers}${named('referer', referer)}${named('agent', agent)}${place}${quoted(context.routeOf(ended))}${times}${end}}`
  }
}

function quoted(value: string): string {
  return UNSAFE.test(value) ? JSON.stringify(value).replace(BEYOND_ASCII, (found) => `\\u${hex(found, 4)}`) : `"${value}"`
}

function text(value: string | undefined): string {
  if (value === undefined || value === '') return NONE
  return UNSAFE.test(value) ? value.replace(UNSAFE_ALL, escaped) : value
}

function escaped(found: string): string {
  return found.charCodeAt(0) < 0x100 ? `\\x${hex(found, 2)}` : `\\u${hex(found, 4)}`
}

function hex(found: string, digits: number): string {
  return found.charCodeAt(0).toString(16).toUpperCase().padStart(digits, '0')
}

function pathOf(url: string): string {
  const end = url.indexOf('?')
  return end === -1 ? url : url.slice(0, end)
}

/** The name of HTTP's Basic authentication (RFC 7617), never the password. */
function userOf(authorization = ''): string | undefined {
  const [, credentials] = /^basic +([\w+/=-]+)$/i.exec(authorization) ?? []
  return credentials === undefined ? undefined : Buffer.from(credentials, 'base64').toString().split(':', 1)[0]
}

let secondFromMs = Number.NaN
let secondText = ''

/** `31/Jan/2026:12:00:00 +0100`. Many lines have the same second. */
function logTime(ms: number): string {
  if (ms >= secondFromMs && ms < secondFromMs + 1000) return secondText
  secondFromMs = ms - (ms % 1000)
  const date = new Date(ms)
  const two = (value: number) => String(value).padStart(2, '0')
  const offset = -date.getTimezoneOffset()
  const zone = `${offset < 0 ? '-' : '+'}${two(Math.floor(Math.abs(offset) / 60))}${two(Math.abs(offset) % 60)}`
  const day = `${two(date.getDate())}/${MONTHS[date.getMonth()]}/${date.getFullYear()}`
  secondText = `${day}:${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())} ${zone}`
  return secondText
}
