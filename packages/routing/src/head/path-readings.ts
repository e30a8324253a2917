// How the path of a target can be read. Programs do not agree: some decode it, some resolve its dot segments, some take a backslash for a slash. A
// route must hold however the app reads the path, so an unusual path is compared in each of these forms. The bytes of the request stay as they are.

import { pathEnd } from './head-text.ts'

/** More of them come only of a target that is made to mislead. */
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
 * The paths for which an app can take an origin-form target, or `*`: one text where all programs agree, a list where they do not, and an empty list
 * where there are too many. Each is in lower case, without repeated slashes and without a slash at the end.
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

/** A path in the form that is compared: percent-encoding decoded, repeated slashes folded, lower case, no slash at the end. */
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

/** The texts in which programs look for segments. */
function textsOf(path: string): string[] {
  let texts = [path]
  const more = (of: (text: string) => readonly string[]) => {
    if (texts.length <= MAX_READINGS) texts = [...new Set(texts.flatMap((text) => [text, ...of(text)]))]
  }
  // WHATWG's URL knows an encoded dot without decoding the rest.
  if (path.includes('%')) more((text) => [decode(text).toLowerCase(), text.replaceAll('%2e', '.')])
  // What is decoded before it is parsed may have got an end.
  more((text) => (pathEnd(text) < text.length ? [text.slice(0, pathEnd(text))] : []))
  more((text) => (text.includes('\\') ? [text.replaceAll('\\', '/')] : []))
  // A `;` begins the query for some routers, parameters of a segment for others.
  more((text) => (text.includes(';') ? [text.slice(0, text.indexOf(';')), text.replace(/;[^/]*/g, '')] : []))
  // To a URL parser the first segment is an authority then.
  more((text) => (text.startsWith('//') ? [text.replace(AUTHORITY, '') || '/'] : []))
  return texts
}

/** Each triplet by itself where not all of them can be decoded. */
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
