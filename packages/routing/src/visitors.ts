// Visitors known by a cookie that the app itself sets: their key in tables and messages, and the seam to a table of their slots.

import { hash as digest } from 'node:crypto'
import { cookieIn } from './head/head-text.ts'
import { MAX_KEY_LENGTH } from './keys.ts'

/** Maps visitors to slots: the primary's visitor table, or a worker's cache of its own visitors. */
export interface VisitorSlots {
  /** The slot of the worker that set this cookie to this value; undefined if unknown. Never throws. */
  slotOf(pool: string, cookie: string, value: string): number | undefined
}

/** Characters of a SHA-256 in base64url: 132 bits. */
export const VISITOR_KEY_LENGTH = 22

/** Stands for a visitor in tables and messages: a hash, so that no table holds a cookie value that an app would accept. */
export function visitorKey(cookie: string, value: string): string {
  return digest('sha256', `switchyard visitor\0${cookie}\0${value}`, 'base64url').slice(0, VISITOR_KEY_LENGTH)
}

/** The value that a Set-Cookie field gives to a cookie, as `RequestHead.cookie` reads it; undefined if it sets another cookie or removes this one. */
export function valueGiven(setCookie: string, name: string): string | undefined {
  const end = setCookie.indexOf(';')
  const value = cookieIn(end === -1 ? setCookie : setCookie.slice(0, end), name)
  return value === undefined || value === '' || value.length > MAX_KEY_LENGTH ? undefined : value
}
