// The lines of the access log: `combined` as nginx and Apache write it, `json`, or a template with fields in braces. A format is compiled to parts once.

import type { AccessField } from './access-fields.ts'
import type { EndedRequest } from './ended-request.ts'
import type { LineBuffer } from './line-buffer.ts'
import {
  changingPart,
  type FieldReader,
  joined,
  type LinePart,
  literalPart,
  numberPart,
  optionalPart,
  type SteadyValue,
  steadyPart,
  tenthsPart,
  timePart,
  upstreamPart,
} from './line-parts.ts'

/** What is the same for every line of a worker. */
export interface AccessFormatContext {
  readonly pool: string
  readonly slot: number
  /** Is the worker a proxy for upstream servers? Then lines say which one. */
  readonly isProxy: boolean
}

/** Writes a line with its end. */
export type LineFormat = (ended: EndedRequest, line: LineBuffer) => void

const PLACEHOLDER = /\{(\w+)\}/
const NONE = '-'
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const
const COMBINED = '{address} - {user} [{time}] "{method} {url} {protocol}" {status} {bytes} "{referer}" "{agent}"'

const fieldParts: Readonly<Record<AccessField, (context: AccessFormatContext) => LinePart>> = {
  address: () => steadyPart('address', ({ address }) => address),
  agent: () => steadyPart('agent', ({ agent }) => agent),
  bytes: () => numberPart(({ bytes }) => bytes, NONE),
  host: () => steadyPart('host', ({ host }) => host),
  iso: () => changingPart(({ endedMs }) => new Date(endedMs).toISOString(), 'text'),
  method: () => steadyPart('method', ({ method }) => method),
  path: () => changingPart(({ url }) => pathOf(url) || NONE, 'text'),
  placement: () => steadyPart('placement', ({ placement }) => placement),
  pool: ({ pool }) => literalPart(pool),
  protocol: () => steadyPart('httpVersion', protocolOf),
  referer: () => steadyPart('referer', ({ referer }) => referer),
  route: () => steadyPart('route', ({ route }) => route),
  service: () => tenthsPart(({ serviceMs }) => serviceMs),
  slot: ({ slot }) => literalPart(String(slot)),
  status: () => steadyPart('status', ({ status }) => String(status)),
  time: () => steadyPart('second', ({ endedMs }) => logTime(endedMs)),
  upstream: () => changingPart(({ upstream }) => upstream ?? NONE, 'text'),
  upstreamTime: () => changingPart(({ upstreamMs }) => (upstreamMs < 0 ? NONE : upstreamMs.toFixed(1)), 'text'),
  url: () => changingPart(({ url }) => url || NONE, 'text'),
  user: () => steadyPart('authorization', ({ authorization }) => userOf(authorization)),
  wait: () => steadyPart('waitMs', ({ waitMs }) => waitMs?.toString()),
}

/** `format`: `combined`, `json` or a template. Unknown fields stay as they are. */
export function lineFormat(format: string, context: AccessFormatContext): LineFormat {
  const parts = joined(format === 'json' ? jsonParts(context) : templateParts(format === 'combined' ? COMBINED : format, context))
  return (ended, line) => {
    for (let at = 0; at < parts.length; at++) (parts[at] as LinePart).write(ended, line)
    line.endLine()
  }
}

function templateParts(template: string, context: AccessFormatContext): LinePart[] {
  // Texts and names in turn.
  return template.split(PLACEHOLDER).flatMap((text, at) => {
    if (at % 2 === 1) return Object.hasOwn(fieldParts, text) ? fieldParts[text as AccessField](context) : literalPart(`{${text}}`)
    return text === '' ? [] : literalPart(text)
  })
}

/** Fields without a value are left out. */
function jsonParts({ pool, slot, isProxy }: AccessFormatContext): LinePart[] {
  const text = (name: string, value: SteadyValue, read: FieldReader<string | undefined>): LinePart =>
    optionalPart(value, `,"${name}":"`, read, '"')
  return [
    timePart('{"time":'),
    text('address', 'address', ({ address }) => address),
    text('method', 'method', ({ method }) => method),
    text('host', 'host', ({ host }) => host),
    literalPart(',"url":"'),
    changingPart(({ url }) => url, 'json'),
    literalPart('"'),
    text('protocol', 'httpVersion', protocolOf),
    optionalPart('status', ',"status":', ({ status }) => String(status), ''),
    optionalPart('hasBytes', ',"bytes":', ({ bytes }) => (bytes < 0 ? undefined : ''), ''),
    numberPart(({ bytes }) => bytes, ''),
    text('referer', 'referer', ({ referer }) => referer),
    text('agent', 'agent', ({ agent }) => agent),
    literalPart(`,"pool":${JSON.stringify(pool)},"slot":${slot}`),
    text('route', 'route', ({ route }) => route),
    optionalPart('waitMs', ',"waitMs":', ({ waitMs }) => waitMs?.toString(), ''),
    literalPart(',"serviceMs":'),
    tenthsPart(({ serviceMs }) => serviceMs),
    ...(isProxy ? [upstreamPart(',"upstream":"', '","upstreamMs":', '"')] : []),
    text('placement', 'placement', ({ placement }) => placement),
    optionalPart('isAborted', ',"aborted":', ({ isAborted }) => (isAborted ? 'true' : undefined), ''),
    literalPart('}'),
  ]
}

function pathOf(url: string): string {
  const end = url.indexOf('?')
  return end === -1 ? url : url.slice(0, end)
}

function protocolOf({ httpVersion }: EndedRequest): string {
  return `HTTP/${httpVersion}`
}

/** The name of HTTP's Basic authentication (RFC 7617), never the password. */
function userOf(authorization: string | undefined): string | undefined {
  if (authorization === undefined) return undefined
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
