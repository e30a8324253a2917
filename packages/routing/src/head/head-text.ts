// The small grammars inside a head: target, Host, cookies, query. Each accepts any text from a client and never throws.

const ABSOLUTE = /^[a-z][a-z\d+.-]*:\/\/([^/?#]*)(.*)$/is

/**
 * The target in origin-form (RFC 9112 §3.2.1): an absolute-form loses its authority, and `*` stays. `undefined` for the target of CONNECT, which
 * has no path.
 */
export function originForm(target: string): string | undefined {
  if (target.charCodeAt(0) === 0x2f || target === '*') return target
  const rest = ABSOLUTE.exec(target)?.[2]
  return rest === undefined || rest.startsWith('/') ? rest : `/${rest}`
}

/** RFC 9112 §3.2.2. */
export function isAbsoluteForm(target: string): boolean {
  return target.charCodeAt(0) !== 0x2f && ABSOLUTE.test(target)
}

/**
 * Does an absolute-form target name this host, with a path or nothing behind the authority? With a query there, some routers search the query
 * for the path.
 */
export function namesHost(target: string, host: string): boolean {
  const [, authority = '', rest = ''] = ABSOLUTE.exec(target) ?? []
  return hostIn(authority) === host && (rest === '' || rest.startsWith('/'))
}

/** The end of the path in an origin-form target: before the first `?` or `#` at or after `from`. */
export function pathEnd(target: string, from = 0): number {
  for (let at = from; at < target.length; at++) {
    const code = target.charCodeAt(at)
    if (code === 0x3f || code === 0x23) return at
  }
  return target.length
}

// Most requests name the same host as the request before them.
let lastPlainHost = ''
const PLAIN_HOST = /^(?:\[[\da-f:.]+\]|[\w.~!$&'()*+;=-]+)(?::\d*)?$/i

/** Is a Host field a host of plain ASCII characters, with or without a port? URL parsers disagree about everything else. */
export function isPlainHost(field: string): boolean {
  if (field === lastPlainHost) return true
  if (!PLAIN_HOST.test(field)) return false
  lastPlainHost = field
  return true
}

/** The host of a Host field in lower case, without port and final dot; `undefined` if it is no host (roughly RFC 3986 §3.2.2). */
export function hostIn(field: string): string | undefined {
  return /^(\[[\da-f:.]+\]|[^\s:@/\\,?#[\]]+?)\.?(?::\d*)?$/.exec(field.toLowerCase())?.[1]
}

/** The first value of a cookie in a Cookie field, without quotes around it. */
export function cookieIn(cookies: string, name: string): string | undefined {
  for (let start = 0; start < cookies.length; ) {
    let end = cookies.indexOf(';', start)
    if (end === -1) end = cookies.length
    while (start < end && isSpace(cookies, start)) start++
    if (cookies.startsWith(name, start)) {
      let after = start + name.length
      while (after < end && isSpace(cookies, after)) after++
      if (after < end && cookies.charCodeAt(after) === 0x3d) return unquote(trimSpace(cookies.slice(after + 1, end)))
    }
    start = end + 1
  }
  return undefined
}

/** The first value of a parameter in a form-encoded query, decoded; as sent when its encoding is broken. */
export function parameterIn(query: string, name: string): string | undefined {
  for (let start = 0; start < query.length; ) {
    let end = query.indexOf('&', start)
    if (end === -1) end = query.length
    const equals = query.indexOf('=', start)
    const nameEnd = equals === -1 || equals > end ? end : equals
    if (isFormText(query, start, nameEnd, name)) return decodeForm(query.slice(nameEnd + 1, end))
    start = end + 1
  }
  return undefined
}

/** The text without spaces and tabs around it. */
export function trimSpace(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && isSpace(text, start)) start++
  while (end > start && isSpace(text, end - 1)) end--
  return text.slice(start, end)
}

function isSpace(text: string, at: number): boolean {
  const code = text.charCodeAt(at)
  return code === 0x20 || code === 0x09
}

function unquote(value: string): string {
  return value.length >= 2 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value
}

/** Does this part of a query encode `wanted`? */
function isFormText(query: string, start: number, end: number, wanted: string): boolean {
  if (end - start < wanted.length) return false
  if (end - start === wanted.length && query.startsWith(wanted, start)) return true
  return decodeForm(query.slice(start, end)) === wanted
}

function decodeForm(text: string): string {
  const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text
  if (!spaced.includes('%')) return spaced
  try {
    return decodeURIComponent(spaced)
  } catch {
    return text
  }
}
