// The readings of a path. Programs disagree: some decode it, some resolve dot segments, some treat a backslash as a slash. A route must hold
// however the app reads the path, so an unusual path is compared in each of these forms. The request itself is never changed.

import { pathEnd } from './head-text.ts'

/** Only a target made to mislead has more. */
const MAX_READINGS = 16

const SLASH = 0x2f
const PLAIN = 0
const SEPARATOR = 1
const DOT = 2
const END = 3
const UNUSUAL = 4
const KINDS = new Uint8Array(128)
for (let code = 0; code < KINDS.length; code++) if (code > 0x7e || /[A-Z%\\;]/.test(String.fromCharCode(code))) KINDS[code] = UNUSUAL
KINDS[SLASH] = SEPARATOR
KINDS[0x2e] = DOT
KINDS[0x3f] = KINDS[0x23] = END

const AUTHORITY = /^\/{2,}[^/]*/
const DOT_SEGMENT = /\/\.{1,2}(?:\/|$)/

/**
 * The paths that an app can read in an origin-form target, or in `*`: one text if all programs agree, a list if they do not, and an empty list
 * if there are too many. Each is in lower case, without repeated slashes and without a slash at the end.
 */
export function readPath(target: string): string | readonly string[] {
  let before = 0
  let at = 0
  for (; at < target.length; at++) {
    const code = target.charCodeAt(at)
    const kind = code < KINDS.length ? (KINDS[code] as number) : UNUSUAL
    if (kind !== PLAIN) {
      if (kind === END) break
      if (kind === UNUSUAL || before === SLASH) return readUnusual(target.slice(0, pathEnd(target, at)))
    }
    before = code
  }
  return target.slice(0, before === SLASH && at > 1 ? at - 1 : at)
}

/** The form in which paths are compared: percent-decoded, lower case, without repeated slashes and without a slash at the end. */
export function comparedPath(path: string): string {
  return fold(decode(path).toLowerCase())
}

function readUnusual(sent: string): string | readonly string[] {
  const path = sent.toLowerCase()
  const texts = textsOf(path)
  if (texts.length > MAX_READINGS) return []
  if (texts.length === 1 && !DOT_SEGMENT.test(path)) return fold(path)
  const readings = new Set<string>()
  for (const text of texts) {
    readings.add(fold(text))
    if (DOT_SEGMENT.test(text)) readings.add(fold(resolve(text))).add(fold(resolve(fold(text))))
    if (readings.size > MAX_READINGS) return []
  }
  const [only = ''] = readings
  return readings.size === 1 ? only : [...readings]
}

/** The texts that programs split into segments. */
function textsOf(path: string): string[] {
  let texts = [path]
  const more = (of: (text: string) => readonly string[]) => {
    if (texts.length <= MAX_READINGS) texts = [...new Set(texts.flatMap((text) => [text, ...of(text)]))]
  }
  // The WHATWG URL parser decodes `%2e` in dot segments and nothing else.
  if (path.includes('%')) more((text) => [decode(text).toLowerCase(), text.replaceAll('%2e', '.')])
  // If a program decodes the path before it parses it, a decoded `?` or `#` ends the path.
  more((text) => (pathEnd(text) < text.length ? [text.slice(0, pathEnd(text))] : []))
  more((text) => (text.includes('\\') ? [text.replaceAll('\\', '/')] : []))
  // For some routers `;` begins the query, for others the parameters of a segment.
  more((text) => (text.includes(';') ? [text.slice(0, text.indexOf(';')), text.replace(/;[^/]*/g, '')] : []))
  // A URL parser reads the first segment as an authority.
  more((text) => (text.startsWith('//') ? [text.replace(AUTHORITY, '') || '/'] : []))
  return texts
}

/** Decodes triplet by triplet where the whole path can't be decoded. */
function decode(path: string): string {
  if (!path.includes('%')) return path
  return (
    decoded(path) ??
    path.replace(/(?:%[\da-f]{2})+/gi, (run) => decoded(run) ?? run.replace(/%[0-7][\da-f]/gi, (triplet) => decodeURIComponent(triplet)))
  )
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/** RFC 3986 §5.2.4. */
function resolve(path: string): string {
  const kept: string[] = []
  for (const segment of path.split('/').slice(1)) {
    if (segment === '..') kept.pop()
    else if (segment !== '.') kept.push(segment)
  }
  return `/${kept.join('/')}`
}

function fold(path: string): string {
  const folded = path.includes('//') ? path.replace(/\/{2,}/g, '/') : path
  return folded.length > 1 && folded.endsWith('/') ? folded.slice(0, -1) : folded
}
