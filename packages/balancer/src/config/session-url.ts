// The address of Redis, as the config or the environment says it: looked at here, so that a slip of the pen is a fault of the config and not of every request.

import { readRedisUrl } from '@switchyard/worker-runtime'
import type { Fault } from './faults.ts'

/** The balancer's own. The `REDIS_URL` of an app is the app's: it counts where the config names it (`urlFrom`). */
export const redisVariable = 'SWITCHYARD_REDIS_URL'

/** Where sessions are to be kept; `path` is what a fault is to be called by. `url` undefined: in the memory of the primary. */
export interface SessionUrl {
  readonly path: string
  readonly url: unknown
  /** Why the variable that `urlFrom` names is not used, in one sentence. */
  readonly warning?: string | undefined
}

/** The address of the config, or of the variable that it names, or else of the balancer's own variable; `url: false` in the config: none of them. */
export function sessionUrlOf({ url, urlFrom }: { url?: unknown; urlFrom?: unknown }, env: NodeJS.ProcessEnv): SessionUrl {
  if (url !== undefined) return { path: 'sessions.url', url: url === false ? undefined : url }
  if (typeof urlFrom === 'string') return named(urlFrom, env[urlFrom])
  return { path: redisVariable, url: env[redisVariable] || undefined }
}

/** The variable is another's, who may mean something else by it: what can't be read is no fault. */
function named(variable: string, text: string | undefined): SessionUrl {
  const path = 'sessions.urlFrom'
  const read = text ? readRedisUrl(text) : 'it is not set'
  if (typeof read !== 'string') return { path, url: text }
  const warning = `sessions are kept in the memory of the primary, because the variable ${variable} has no address of Redis (sessions.urlFrom): ${read}`
  return { path, url: undefined, warning }
}

/** What is wrong with it. A password may be in it, so it is not shown. */
export function sessionUrlFaults({ path, url }: SessionUrl): Fault[] {
  if (typeof url !== 'string' || url === '') return []
  const read = readRedisUrl(url)
  if (typeof read !== 'string') return []
  const advice = path === redisVariable ? "; where sessions are not to be kept there, say 'sessions: { url: false }'" : ''
  return [{ path, message: `${read}${advice}` }]
}

/** Does the connection go over TLS? */
export function isOverTls({ url }: SessionUrl): boolean {
  const read = typeof url === 'string' ? readRedisUrl(url) : ''
  return typeof read !== 'string' && read.tls
}

/** The address without its user and password, for people. */
export function shownUrl(url: string): string {
  return url.replace(/\/\/[^@/?#]*@/, '//').replace(/\?.*$/, '')
}
