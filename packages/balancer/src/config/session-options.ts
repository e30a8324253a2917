// What `sessions` in a config means, with every default filled in.

import { resolve } from 'node:path'
import type { TicketKey } from '@switchyard/routing'
import { type SessionSettings, sessionDefaults } from '@switchyard/worker-runtime'
import { derivedSecrets, ownSecrets } from '../sessions/session-secrets.ts'
import type { SessionsConfig } from './config.ts'
import { withDefaults } from './defaults.ts'
import { sessionUrlOf } from './session-url.ts'
import { bytesOf } from './sizes.ts'

export interface SessionContext {
  /** What relative paths start from. */
  readonly folder: string
  readonly env: NodeJS.ProcessEnv
  readonly ticketKeys: readonly TicketKey[]
}

type NearCache = NonNullable<SessionSettings['nearCache']>

/** Settings of a checked config. */
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
