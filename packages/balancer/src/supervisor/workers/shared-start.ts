// The start data that all workers share: what they need to know of routes, tickets, sessions and each other.

import { randomBytes } from 'node:crypto'
import { KeyHasher, type Policy, type Route } from '@switchyard/routing'
import type { AccessLogStart, WorkerRoute, WorkerStart } from '@switchyard/worker-runtime'
import type { ListenAddress } from '../../listener-settings.ts'
import type { Settings } from '../../settings.ts'

const TOKEN_BYTES = 24
const NO_ADDRESSES: readonly ListenAddress[] = []

/** Makes the token that proves to a worker that a request was forwarded by another worker. */
export function makeForwardToken(): string {
  return randomBytes(TOKEN_BYTES).toString('base64url')
}

export interface SharedStart
  extends Pick<
    WorkerStart,
    'ticketKeys' | 'routes' | 'trustedProxies' | 'forwardToken' | 'forwardTimeoutMs' | 'healthPath' | 'sessions' | 'explain' | 'observes'
  > {
  /** Workers load policies that are the user's own code from it. */
  readonly configFile: string | undefined
  readonly configVariables: Settings['configVariables']
  /** The addresses of the config, with what workers do there. */
  readonly listen: readonly ListenAddress[]
  readonly accessLog: Omit<AccessLogStart, 'pipe' | 'memory'> | undefined
}

/** `routes`: the last one applies when no other matches. */
export function sharedStart(settings: Settings, routes: readonly Route<{ readonly policy: Policy }>[], forwardToken: string): SharedStart {
  return {
    ticketKeys: settings.ticketKeys.map(({ id, secret }) => ({ id, secret: Buffer.from(secret).toString('base64') })),
    routes: routes.map((route, index) => workerRoute(route, settings.routes[index]?.spread)),
    configFile: settings.file,
    configVariables: settings.configVariables,
    listen: settings.listen ?? NO_ADDRESSES,
    trustedProxies: settings.trustedProxies,
    forwardToken,
    forwardTimeoutMs: settings.limits.forwardTimeoutMs,
    healthPath: settings.healthPath,
    sessions: settings.sessions,
    explain: explainStart(settings),
    observes: settings.advice,
    accessLog: settings.accessLog && { format: settings.accessLog.format, sample: settings.accessLog.sample },
  }
}

function explainStart({ explainTo, ticketKeys }: Settings): WorkerStart['explain'] {
  if (explainTo.length === 0) return undefined
  return { to: explainTo, secret: KeyHasher.secretOf(ticketKeys[0]?.secret ?? '').toString('base64') }
}

function workerRoute(
  { name, match, pool, policy: { policy } }: Route<{ readonly policy: Policy }>,
  spread: boolean | undefined,
): WorkerRoute {
  return {
    name,
    match,
    pool,
    policyName: policy.name,
    ticket: policy.ticket,
    learns: policy.learns,
    ...(policy.stays !== undefined && { policy: policy.data ?? 'own' }),
    ...(spread !== undefined && { spread }),
  }
}
