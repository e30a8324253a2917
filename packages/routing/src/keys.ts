// Key sources: two requests with the same key belong together. Keys come from clients, so their length is bounded and they are never trusted.

import type { RequestHead } from './head/request-head.ts'
import type { KeyData } from './policy-data.ts'

/** Finds the key in a head. */
export interface KeySource {
  /** For people, such as `cookie connect.sid`. */
  readonly name: string
  /** The source as JSON. Left out: the source is the user's own code. */
  readonly data?: KeyData
  /** `undefined` without a key. Never throws. */
  of(head: RequestHead): string | undefined
}

/** A key source as a plain function. */
export type PolicyKeyFunction = (head: RequestHead) => string | undefined

/** A longer key counts as none. */
export const MAX_KEY_LENGTH = 1024

/** The value of a cookie, not decoded. */
export function cookie(name: string): KeySource {
  return dataKey({ cookie: name }, `cookie ${name}`, (head) => head.cookie(name))
}

/** The value of a header field. */
export function header(name: string): KeySource {
  return dataKey({ header: name }, `header ${name}`, (head) => head.header(name))
}

/** The first value of a query parameter, decoded. */
export function query(name: string): KeySource {
  return dataKey({ query: name }, `query ${name}`, (head) => head.queryParameter(name))
}

/**
 * One segment of the path as sent, counted from 0: `pathSegment(1)` of `/cart/42/items` is `42`. Empty segments don't count.
 * Throws RangeError unless `index` is a whole number.
 */
export function pathSegment(index: number): KeySource {
  if (!Number.isInteger(index) || index < 0) throw new RangeError(`path segment: expected a whole number from 0, got ${index}`)
  return dataKey({ 'path-segment': index }, `path segment ${index}`, (head) => segmentOf(head.path ?? '', index))
}

/** Makes a key source. An empty key, one longer than 1,024 characters, and an error in `find` count as no key. */
export function keySource(name: string, find: PolicyKeyFunction): KeySource {
  return {
    name,
    of(head) {
      try {
        const key: unknown = find(head)
        return typeof key === 'string' && key.length > 0 && key.length <= MAX_KEY_LENGTH ? key : undefined
      } catch {
        return undefined
      }
    },
  }
}

/** Makes a key source that JSON can express. */
export function dataKey(data: KeyData, name: string, find: PolicyKeyFunction): KeySource {
  return { ...keySource(name, find), data }
}

function segmentOf(path: string, index: number): string | undefined {
  let remaining = index
  for (let start = 0; start < path.length; ) {
    let end = path.indexOf('/', start)
    if (end === -1) end = path.length
    if (end > start && remaining-- === 0) return path.slice(start, end)
    start = end + 1
  }
  return undefined
}
