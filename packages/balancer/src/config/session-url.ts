// The address of Redis, as the config or the environment says it: looked at here, so that a slip of the pen is a fault of the config and not of every request.

import { readRedisUrl } from '@switchyard/worker-runtime'
import type { Fault } from './faults.ts'

export const redisVariable = 'REDIS_URL'

/** Where sessions are to be kept; `path` is what a fault is to be called by. `url` undefined: in the memory of the primary. */
export interface SessionUrl {
  readonly path: string
  readonly url: unknown
}

/** The address of the config, or else of the environment; `false` in the config: neither. */
export function sessionUrlOf(url: unknown, env: NodeJS.ProcessEnv): SessionUrl {
  if (url === undefined) return { path: redisVariable, url: env[redisVariable] || undefined }
  return { path: 'sessions.url', url: url === false ? undefined : url }
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
