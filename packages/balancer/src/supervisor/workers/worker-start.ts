// What workers are told at their start, besides their seat: what they must know of routes, and of each other.

import { randomBytes } from 'node:crypto'
import type { Policy, Route } from '@switchyard/routing'
import type { WorkerRoute, WorkerStart } from '@switchyard/worker-runtime'
import type { Settings } from '../../settings.ts'

const TOKEN_BYTES = 24

/** What proves to a worker that a request was forwarded by another. */
export function makeForwardToken(): string {
  return randomBytes(TOKEN_BYTES).toString('base64url')
}

/** What is the same for all workers. */
export interface SharedStart
  extends Pick<WorkerStart, 'ticketKeys' | 'routes' | 'trustedProxies' | 'forwardToken' | 'forwardTimeoutMs' | 'sessions'> {
  /** For policies that are the user's own code. */
  readonly configFile: string | undefined
  readonly configVariables: Settings['configVariables']
}

/** Reads it off the settings and the bound routes; the last route is the one that is taken when no other matches. */
export function sharedStart(settings: Settings, routes: readonly Route<{ readonly policy: Policy }>[], forwardToken: string): SharedStart {
  return {
    ticketKeys: settings.ticketKeys.map(({ id, secret }) => ({ id, secret: Buffer.from(secret).toString('base64') })),
    routes: routes.map(workerRoute),
    configFile: settings.file,
    configVariables: settings.configVariables,
    trustedProxies: settings.trustedProxies,
    forwardToken,
    forwardTimeoutMs: settings.limits.forwardTimeoutMs,
    sessions: settings.sessions,
  }
}

function workerRoute({ name, match, pool, policy: { policy } }: Route<{ readonly policy: Policy }>): WorkerRoute {
  return {
    name,
    match,
    pool,
    ticket: policy.ticket,
    learns: policy.learns,
    ...(policy.stays !== undefined && { policy: policy.data ?? 'own' }),
  }
}
