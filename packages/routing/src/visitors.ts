// Visitors who are known by a cookie that the app itself sets: what stands for its value, and the seam to whoever knows where each belongs.

import { hash as digest } from 'node:crypto'
import { cookieIn } from './head/head-text.ts'
import { MAX_KEY_LENGTH } from './keys.ts'

/** Knows which slot has a visitor: the primary's table, or what a worker remembers of its own. */
export interface VisitorSlots {
  /** The slot of the worker that gave this cookie this value; undefined: nobody has said so. Never throws. */
  slotOf(pool: string, cookie: string, value: string): number | undefined
}

/** Of SHA-256 in base64url: 132 bits. */
export const VISITOR_KEY_LENGTH = 22

/** What stands for a visitor in tables and messages, so that no table of ours holds anything that could be shown to an app. */
export function visitorKey(cookie: string, value: string): string {
  return digest('sha256', `switchyard visitor\0${cookie}\0${value}`, 'base64url').slice(0, VISITOR_KEY_LENGTH)
}

/** The value that a Set-Cookie field gives to a cookie, as `RequestHead.cookie` will read it; undefined: it is another's, or takes the cookie away. */
export function valueGiven(setCookie: string, name: string): string | undefined {
  const end = setCookie.indexOf(';')
  const value = cookieIn(end === -1 ? setCookie : setCookie.slice(0, end), name)
  return value === undefined || value === '' || value.length > MAX_KEY_LENGTH ? undefined : value
}
