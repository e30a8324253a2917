// `sessions`: how the sessions that all workers share are kept. The defaults stand in worker-runtime, beside the session store.

import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import type { TicketKey } from '@switchyard/routing'
import { type OnOutage, type SessionCookieSettings, type SessionSettings, sessionDefaults } from '@switchyard/worker-runtime'
import * as v from 'valibot'
import { derivedSecrets, ownSecrets } from '../sessions/session-secrets.ts'
import { type Fault, formatPath, type Loose, listOf, looseOf } from './faults.ts'
import {
  bytesOf,
  cookieName,
  expected,
  milliseconds,
  positive,
  type SizeConfig,
  shape,
  size,
  text,
  variableName,
  whole,
  withDefaults,
} from './schema.ts'
import { secrets } from './secret.ts'
import { isOverTls, sessionUrlFaults, sessionUrlOf } from './session-url.ts'

/** Ten years. A longer time is a mistake. */
const MAX_TTL_MS = 315_360_000_000

/** A larger session may not fit into one message between processes, depending on how it is escaped. */
const MAX_SESSION_BYTES = 131_072

type Optional<T> = { [Name in keyof T]?: T[Name] | undefined }

/** How sessions that all workers share are kept. */
export interface SessionsConfig {
  /**
   * Address of Redis: `redis://`, `rediss://`, `redis+sentinel://` or `redis+cluster://`. Default: `SWITCHYARD_REDIS_URL`, else the memory of the primary.
   * `false`: always the memory of the primary.
   */
  url?: string | false | undefined
  /**
   * Instead of `url`: the name of an environment variable with the address, such as `REDIS_URL`. Without a valid address there, the log warns and sessions are
   * kept in the memory of the primary.
   */
  urlFrom?: string | undefined
  /** Signs session ids; two for a change of secret: `[current, previous]`. Default: derived from the `secret` of the balancer. */
  secret?: string | readonly [current: string, previous?: string] | undefined
  /** PEM files for `rediss://`. */
  tls?: Optional<{ ca: string; cert: string; key: string }> | undefined
  /** Prefix of the keys in Redis. Default `'switchyard'`. */
  keyPrefix?: string | undefined
  /** How long an unused session is kept. Default 24 hours. */
  ttlMs?: number | undefined
  /** How long a destroyed session cannot be written again. Default 5 minutes. */
  tombstoneMs?: number | undefined
  /** Largest text of one session. Default 65536. */
  maxValueBytes?: number | undefined
  /** Most sessions in the memory of the primary. Default 100000. */
  maxSessions?: number | undefined
  /** Most bytes of all their texts together. Default 256 MiB. */
  maxBytes?: SizeConfig | undefined
  /** Time limit of a command of the store. Default 500. */
  commandTimeoutMs?: number | undefined
  /** How often an update is tried while other requests write the session. Default 32. */
  updateAttempts?: number | undefined
  /** What requests get while the store is unreachable. Default `'fail'`. */
  onOutage?: OnOutage | undefined
  /** The sessions that a worker keeps after reading them; `false`: none. */
  nearCache?: false | Optional<NonNullable<SessionSettings['nearCache']>> | undefined
  /** When commands are no longer sent to a failing store, and for how long. */
  breaker?: Optional<SessionSettings['breaker']> | undefined
  /** The cookie that `sessions(request, response)` reads and sets. */
  cookie?: Optional<SessionCookieSettings> | undefined
}

const pemEntries = { ca: v.optional(text), cert: v.optional(text), key: v.optional(text) }
const nearCacheEntries = { maxEntries: positive(), maxAgeMs: milliseconds(1) }
const nearCacheOptions = shape(nearCacheEntries, 'false or an object')
const breakerEntries = { failures: positive(), openMs: milliseconds(1) }
const sessionCookieEntries = {
  name: v.optional(cookieName),
  path: v.optional(expected(v.pipe(v.string(), v.regex(/^\/[\x21-\x3a\x3c-\x7e]*$/)), 'a path such as /')),
  domain: v.optional(expected(v.pipe(v.string(), v.regex(/^\.?[\w-]+(\.[\w-]+)*$/)), 'a domain such as example.com')),
  sameSite: v.optional(v.picklist(['lax', 'strict', 'none'], "'lax', 'strict' or 'none'")),
  secure: v.optional(v.union([v.boolean(), v.literal('auto')], "true, false or 'auto'")),
}
export const sessionEntries = {
  url: v.optional(expected(v.union([v.pipe(v.string(), v.minLength(1)), v.literal(false)]), 'the address of Redis or false')),
  urlFrom: v.optional(variableName),
  secret: secrets,
  tls: v.optional(shape(pemEntries)),
  keyPrefix: v.optional(expected(v.pipe(v.string(), v.regex(/^[\w.:-]{1,64}$/)), 'a prefix: letters, digits, ., :, - or _, at most 64')),
  ttlMs: whole(1, MAX_TTL_MS, `milliseconds from 1 to ${MAX_TTL_MS}`),
  tombstoneMs: milliseconds(1),
  maxValueBytes: whole(1, MAX_SESSION_BYTES, `bytes from 1 to ${MAX_SESSION_BYTES}`),
  maxSessions: positive(),
  maxBytes: size,
  commandTimeoutMs: milliseconds(1),
  updateAttempts: positive(),
  onOutage: v.optional(v.picklist(['fail', 'read-cached', 'anonymous'], "'fail', 'read-cached' or 'anonymous'")),
  nearCache: v.optional(v.lazy((input) => (input === false ? v.literal(false) : nearCacheOptions))),
  breaker: v.optional(shape(breakerEntries)),
  cookie: v.optional(shape(sessionCookieEntries)),
}

/** The options of each part of `sessions`. */
export const sessionParts = { tls: pemEntries, nearCache: nearCacheEntries, breaker: breakerEntries, cookie: sessionCookieEntries }

export function sessionFaults({ url, urlFrom, secret, tls, cookie }: Loose, folder: string, env: NodeJS.ProcessEnv): Fault[] {
  const found = sessionUrlOf({ url, urlFrom }, env)
  const faults = sessionUrlFaults(found)
  if (url !== undefined && urlFrom !== undefined)
    faults.push({ path: 'sessions.urlFrom', message: 'conflicts with sessions.url: remove one of the two' })
  const [current, previous] = listOf(secret)
  if (typeof current === 'string' && current === previous)
    faults.push({ path: 'sessions.secret', message: 'expected two different secrets' })
  if (tls !== undefined && found.warning === undefined && !isOverTls(found))
    faults.push({ path: 'sessions.tls', message: 'needs a url that begins with rediss' })
  for (const [name, file] of Object.entries(looseOf(tls))) {
    if (typeof file !== 'string' || file === '' || statSync(resolve(folder, file), { throwIfNoEntry: false })?.isFile() === true) continue
    faults.push({ path: formatPath(['sessions', 'tls', name]), message: `there is no file ${resolve(folder, file)}` })
  }
  const { sameSite, secure } = looseOf(cookie)
  if (sameSite === 'none' && secure === false)
    faults.push({
      path: 'sessions.cookie.secure',
      message: "expected true or 'auto': browsers drop a cookie with sameSite 'none' that is not secure",
    })
  return faults
}

export interface SessionContext {
  /** Relative paths start from it. */
  readonly folder: string
  readonly env: NodeJS.ProcessEnv
  readonly ticketKeys: readonly TicketKey[]
}

type NearCache = NonNullable<SessionSettings['nearCache']>

/** Session settings of a checked config. */
export function sessionSettings(config: SessionsConfig = {}, { folder, env, ticketKeys }: SessionContext): SessionSettings {
  const { url, urlFrom, secret, tls, maxBytes, nearCache, breaker, cookie, ...rest } = config
  return {
    ...withDefaults(sessionDefaults, rest),
    url: sessionUrlOf({ url, urlFrom }, env).url as string | undefined,
    tls: tls && pemFiles(tls, folder),
    maxBytes: bytesOf(maxBytes) ?? sessionDefaults.maxBytes,
    secrets: secret === undefined ? derivedSecrets(ticketKeys) : ownSecrets([secret].flat().filter((one) => one !== undefined)),
    nearCache: nearCache === false ? undefined : withDefaults(sessionDefaults.nearCache as NearCache, nearCache),
    breaker: withDefaults(sessionDefaults.breaker, breaker),
    cookie: withDefaults(sessionDefaults.cookie, cookie),
  }
}

function pemFiles(config: NonNullable<SessionsConfig['tls']>, folder: string): NonNullable<SessionSettings['tls']> {
  const named = Object.entries(config).filter((entry): entry is [string, string] => entry[1] !== undefined)
  return Object.fromEntries(named.map(([name, file]) => [name, resolve(folder, file)]))
}
