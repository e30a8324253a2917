// The cookie that carries a session's id: what the request has, and what its response sets.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { SessionCookieSettings } from '@switchyard/sessions'
import onHeaders from 'on-headers'
import { isSecure } from '../server/secure-request.ts'

const MAX_COOKIES = 256
/** Of one name: whoever owns a neighbouring domain may add some, but can't have us check any number of them. */
const MAX_VALUES = 8

export class SessionCookie {
  private readonly settings: SessionCookieSettings
  private readonly request: IncomingMessage
  private readonly response: ServerResponse | undefined
  private field: string | undefined

  /** Without `response`, as for a websocket, it can be read only. */
  constructor(settings: SessionCookieSettings, request: IncomingMessage, response: ServerResponse | undefined) {
    this.settings = settings
    this.request = request
    this.response = response
  }

  /** What the visitor sent, as it is. */
  values(): string[] {
    const start = `${this.settings.name}=`
    const pairs = (this.request.headers.cookie ?? '').split(';', MAX_COOKIES).map((pair) => pair.trim())
    const values = pairs.filter((pair) => pair.startsWith(start)).map((pair) => pair.slice(start.length))
    return values.slice(0, MAX_VALUES)
  }

  /** Can the response still set it? Throws if it can't: a session that is written now would be nobody's. */
  assertSettable(): void {
    if (this.response === undefined) throw cookieError('a new session needs a response that can set its cookie')
    if (this.response.headersSent)
      throw cookieError('a new session was written after the head of the response: its cookie can’t be set any more')
  }

  /** The visitor is to have it, for `ttlMs` from now. Where there is no response, or its head has gone, nothing happens. */
  set(id: string, ttlMs: number): void {
    this.put(id, Math.ceil(ttlMs / 1000))
  }

  /** The visitor is to forget it. */
  remove(): void {
    this.put('', 0)
  }

  private put(value: string, maxAgeSeconds: number): void {
    const { response, settings } = this
    if (response === undefined || response.headersSent) return
    const { name, path, domain, sameSite, secure } = settings
    const isFirst = this.field === undefined
    const parts = [`${name}=${value}`, `Path=${path}`, `Max-Age=${maxAgeSeconds}`, 'HttpOnly', `SameSite=${NAMES[sameSite]}`]
    if (domain !== undefined) parts.push(`Domain=${domain}`)
    if (secure === true || sameSite === 'none' || (secure === 'auto' && isSecure(this.request))) parts.push('Secure')
    this.field = parts.join('; ')
    // Late, and once: what the app sets meanwhile stays, and of two ids only the last is sent.
    if (isFirst) onHeaders(response, () => response.appendHeader('Set-Cookie', this.field as string))
  }
}

const NAMES = { lax: 'Lax', strict: 'Strict', none: 'None' }

function cookieError(message: string): Error {
  return Object.assign(new Error(message), { code: 'ERR_SESSION_COOKIE' })
}
