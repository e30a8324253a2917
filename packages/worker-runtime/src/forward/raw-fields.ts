// Header fields as on the wire: names and values in turn, in order, with case and duplicates. Each character is a byte.

import type { OutgoingMessage } from 'node:http'

const NOT_ASCII = /[\x80-\xff]/

/**
 * Node encodes the value of `Content-Disposition` again when a `Content-Length` stands before it (nodejs/node#46528). Returns fields from which
 * Node then produces the given ones.
 */
export function beforeNodeEncodes(fields: readonly string[]): readonly string[] {
  let changed: string[] | undefined
  let length = 0
  for (let at = 0; at < fields.length; at += 2) {
    const name = fields[at] as string
    const value = fields[at + 1] as string
    if (isField(name, 'content-length')) length = Number(value)
    else if (length > 0 && isField(name, 'content-disposition') && NOT_ASCII.test(value)) {
      changed ??= [...fields]
      changed[at + 1] = Buffer.from(value, 'utf8').toString('latin1')
    }
  }
  return changed ?? fields
}

/** Compares a field name. `lowerCase`: the wanted name in lower case. */
export function isField(name: string, lowerCase: string): boolean {
  return name.length === lowerCase.length && name.toLowerCase() === lowerCase
}

/** Adds trailers to a message that Node is writing. */
export function addTrailers(message: OutgoingMessage, fields: readonly string[]): void {
  if (fields.length === 0) return
  const pairs: [name: string, value: string][] = []
  for (let at = 0; at < fields.length; at += 2) pairs.push([fields[at] as string, fields[at + 1] as string])
  try {
    message.addTrailers(pairs)
  } catch {
    // A lenient parser accepts characters that Node refuses to write. The message is complete without its trailers.
  }
}
