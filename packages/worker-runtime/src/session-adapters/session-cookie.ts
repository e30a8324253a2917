// The cookie that carries a session id: reads it from the request and sets it on the response.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { SessionCookieSettings } from '@switchyard/sessions'
import onHeaders from 'on-headers'
import { isSecure } from '../server/secure-request.ts'

const MAX_COOKIES = 256
/** Values of one name: a sibling domain can add cookies of our name, and each value costs a signature check. */
const MAX_VALUES = 8

export class SessionCookie {
  private readonly settings: SessionCookieSettings
  private readonly request: IncomingMessage
  private readonly response: ServerResponse | undefined
  private field: string | undefined

  /** Without `response`, as for a websocket, the cookie is read-only. */
  constructor(settings: SessionCookieSettings, request: IncomingMessage, response: ServerResponse | undefined) {
    this.settings = settings
    this.request = request
    this.response = response
  }

  /** The unchecked values that the visitor sent. */
  values(): string[] {
    const start = `${this.settings.name}=`
    const pairs = (this.request.headers.cookie ?? '').split(';', MAX_COOKIES).map((pair) => pair.trim())
    const values = pairs.filter((pair) => pair.startsWith(start)).map((pair) => pair.slice(start.length))
    return values.slice(0, MAX_VALUES)
  }

  /** Throws if the response can't set the cookie any more: the visitor could never come back to the session. */
  assertSettable(): void {
    if (this.response === undefined)
      throw cookieError('a new session needs a response to set its cookie: pass it as sessions(request, response)')
    if (this.response.headersSent)
      throw cookieError(
        'a new session was written after the head of the response: its cookie can no longer be set. Write it before the head',
      )
  }

  /** Sets the cookie for `ttlMs` from now. Does nothing without a response, or after its head was sent. */
  set(id: string, ttlMs: number): void {
    this.put(id, Math.ceil(ttlMs / 1000))
  }

  /** Expires the cookie. As `set`, does nothing when it is too late. */
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
    // Added once, just before the head is sent: cookies of the app stay, and only the last of several ids is sent.
    if (isFirst) onHeaders(response, () => response.appendHeader('Set-Cookie', this.field as string))
  }
}

const NAMES = { lax: 'Lax', strict: 'Strict', none: 'None' }

function cookieError(message: string): Error {
  return Object.assign(new Error(message), { code: 'ERR_SESSION_COOKIE' })
}
