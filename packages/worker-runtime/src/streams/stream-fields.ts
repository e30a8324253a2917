// Header fields of HTTP/2 as Node takes them, made from those that it has read, so that order, repeated fields and bytes stay as they are.

import { type IncomingHttpHeaders, type OutgoingHttpHeaders, sensitiveHeaders } from 'node:http2'

const NOT_ASCII = /[\x80-\xff]/

/** `raw`: names and values in turn; `parsed`: the same fields as Node's object. */
export function fieldsFrom(raw: readonly string[], parsed: IncomingHttpHeaders): OutgoingHttpHeaders {
  const fields: OutgoingHttpHeaders = Object.create(null)
  let repeated: string[] | undefined
  for (let at = 0; at < raw.length; at += 2) {
    const name = raw[at] as string
    const value = asSent(raw[at + 1] as string)
    const before = fields[name]
    if (before === undefined) fields[name] = value
    else if (Array.isArray(before)) before.push(value)
    else {
      fields[name] = [before as string, value]
      repeated ??= []
      repeated.push(name)
    }
  }
  // A field that may stand once only: Node has kept the first value, and refuses to send two.
  for (const name of repeated ?? []) {
    const [first] = fields[name] as string[]
    if (first !== undefined && parsed[name] === first) fields[name] = first
  }
  const sensitive = (parsed as { [sensitiveHeaders]?: string[] })[sensitiveHeaders]
  if (sensitive !== undefined && sensitive.length > 0) (fields as { [sensitiveHeaders]?: string[] })[sensitiveHeaders] = sensitive
  return fields
}

/** Node reads bytes as latin1 and writes UTF-8. */
function asSent(value: string): string {
  return NOT_ASCII.test(value) ? Buffer.from(value, 'latin1').toString('utf8') : value
}
