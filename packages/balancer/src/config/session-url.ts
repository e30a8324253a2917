// The address of Redis, from the config or the environment. It is checked at the start, so that a typo does not fail every request instead.

import { readRedisUrl } from '@switchyard/worker-runtime'
import type { Fault } from './faults.ts'

/** The balancer's own variable. `REDIS_URL` belongs to the app and is read only when `urlFrom` names it. */
export const REDIS_VARIABLE = 'SWITCHYARD_REDIS_URL'

export interface SessionUrl {
  /** The name of the option or variable, for faults. */
  readonly path: string
  /** undefined: sessions are kept in the memory of the primary. */
  readonly url: unknown
  /** Why the variable of `urlFrom` is not used, in one sentence. */
  readonly warning?: string | undefined
}

/** `url` of the config, else the variable that `urlFrom` names, else the balancer's own variable. `url: false`: none of them. */
export function sessionUrlOf({ url, urlFrom }: { url?: unknown; urlFrom?: unknown }, env: NodeJS.ProcessEnv): SessionUrl {
  if (url !== undefined) return { path: 'sessions.url', url: url === false ? undefined : url }
  if (typeof urlFrom === 'string') return fromVariable(urlFrom, env[urlFrom])
  return { path: REDIS_VARIABLE, url: env[REDIS_VARIABLE] || undefined }
}

/** The variable belongs to the app, which may use it for something else. So an address that can't be read is a warning, not a fault. */
function fromVariable(variable: string, text: string | undefined): SessionUrl {
  const path = 'sessions.urlFrom'
  const read = text ? readRedisUrl(text) : 'it is not set'
  if (typeof read !== 'string') return { path, url: text }
  const warning = `sessions are kept in the memory of the primary, because the variable ${variable} (sessions.urlFrom) has no address of Redis: ${read}`
  return { path, url: undefined, warning }
}

/** Faults of the address. They do not quote it, because it may contain a password. */
export function sessionUrlFaults({ path, url }: SessionUrl): Fault[] {
  if (typeof url !== 'string' || url === '') return []
  const read = readRedisUrl(url)
  if (typeof read !== 'string') return []
  const advice = path === REDIS_VARIABLE ? "; to keep sessions in the memory of the primary, write 'sessions: { url: false }'" : ''
  return [{ path, message: `${read}${advice}` }]
}

export function isOverTls({ url }: SessionUrl): boolean {
  const read = typeof url === 'string' ? readRedisUrl(url) : ''
  return typeof read !== 'string' && read.tls
}

/** The address without user, password and query, to show it. */
export function shownUrl(url: string): string {
  return url.replace(/\/\/[^@/?#]*@/, '//').replace(/\?.*$/, '')
}
