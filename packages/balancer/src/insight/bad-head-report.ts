// A bad head, ClientHello or header of the PROXY protocol for people: where and why reading stopped, and its bytes, escaped, without the values of fields that carry keys or passwords.

import { beginsHttp2, beginsTls, type HeadFault, headFault, type ListenerProtocol } from '@switchyard/routing'
import type { KeptHead } from '../decisions/bad-heads.ts'
import type { Settings } from '../settings.ts'
import { proxyHeaderFault } from './proxy-header-fault.ts'

export interface BadHeadReport {
  /** Counts the bad heads since the start, from 1. */
  number: number
  /** In ms since 1970. */
  time: number
  /** As in the metrics of refused connections. `unreadable`: not refused; the worker's parser decides. */
  reason: string
  /** null: a unix socket. */
  address: string | null
  /** Where reading stopped; null: the whole head was read. */
  offset: number | null
  /** The byte there, 0 to 255; null: there is none, or it is not kept. */
  byte: number | null
  why: string
  /** How many bytes were read. */
  length: number
  /** What is kept of the bytes. Bytes outside of printable ASCII are escaped, as `\x00`. */
  lines: { offset: number; text: string }[]
}

const AMBIGUOUS = 'programs can read its path or its host as that of another pool'
/** Names of what must not be shown. Everything behind such a word is masked, up to the end of the line. */
const SECRET = ['cookie', 'auth', 'token', 'secret', 'session', 'passw', 'api-?key', 'credential', 'sid=']
/** Of the protocols of listeners. */
const TITLES = { http: 'HTTP/1', http2: 'HTTP/2', tls: 'TLS' } as const
const MASK = '***'
const ESCAPES: Readonly<Record<string, string>> = { '\r': '\\r', '\n': '\\n', '\t': '\\t', '\\': '\\\\' }

/** A pattern for the names of fields and query parameters whose values are not shown: those of passwords, and the keys of the routes. */
export function secretNamesOf({ routes, defaultPolicy }: Pick<Settings, 'routes' | 'defaultPolicy'>): RegExp {
  const data = JSON.stringify([...routes.map(({ policy }) => policy), defaultPolicy].map((policy) => policy.data ?? null))
  const named = [...data.matchAll(/"(?:cookie|header|query)":"((?:[^"\\]|\\.)+)"/g)].map(([, name = '']) => escapePattern(name))
  return new RegExp([...SECRET, ...named].join('|'), 'i')
}

/** `secretNames`: see `secretNamesOf`. */
export function reportBadHead(head: KeptHead, secretNames: RegExp): BadHeadReport {
  const { number, timeMs, reason, address, bytes, length } = head
  const fault = faultOf(head)
  return {
    number,
    time: timeMs,
    reason,
    address: address ?? null,
    offset: fault?.offset ?? null,
    byte: fault === undefined ? null : (bytes[fault.offset] ?? null),
    why: fault?.why ?? AMBIGUOUS,
    length,
    lines: linesOf(bytes.toString('latin1'), secretNames),
  }
}

function faultOf({ reason, bytes, maxHeadBytes = Number.MAX_SAFE_INTEGER, expected }: KeptHead): HeadFault | undefined {
  return proxyHeaderFault(reason, bytes) ?? protocolFault(bytes, expected) ?? headFault(bytes, bytes.length, maxHeadBytes)
}

/** Does the client begin as one of another protocol? */
function protocolFault(bytes: Buffer, expected: ListenerProtocol): HeadFault | undefined {
  if (expected === 'detect' || expected === 'tcp') return undefined
  const spoken = beginsTls(bytes) ? 'tls' : beginsHttp2(bytes) ? 'http2' : 'http'
  if (spoken === expected) return undefined
  const said = spoken === 'http' ? `this is no ${expected === 'tls' ? 'ClientHello' : 'preface'}` : `the client speaks ${TITLES[spoken]}`
  return { offset: 0, why: `the listener expects ${TITLES[expected]}, and ${said}` }
}

/** A bare CR or LF ends a line too, as programs that are lenient read it. */
function linesOf(text: string, secretNames: RegExp): BadHeadReport['lines'] {
  const lines: BadHeadReport['lines'] = []
  let isMasked = false
  for (const { index, 0: whole, 1: content = '', 2: end = '' } of text.matchAll(/([^\r\n]*)(\r?\n|\r|$)/g)) {
    if (whole === '') continue
    // A folded line continues the value before it.
    const isFolded: boolean = isMasked && /^[ \t]/.test(content)
    const secret = secretNames.exec(content)
    isMasked = isFolded || secret !== null
    const shown = isFolded
      ? MASK
      : secret === null
        ? escaped(content)
        : `${escaped(content.slice(0, secret.index + secret[0].length))}${MASK}`
    lines.push({ offset: index, text: `${shown}${escaped(end)}` })
  }
  return lines
}

function escaped(text: string): string {
  return text.replace(/[^\x20-\x5b\x5d-\x7e]/g, (found) => ESCAPES[found] ?? `\\x${found.charCodeAt(0).toString(16).padStart(2, '0')}`)
}

function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')
}
