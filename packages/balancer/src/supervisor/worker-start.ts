// What workers are told at their start, besides their seat: where they listen privately, and what they must know of routes.

import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Policy, Route } from '@switchyard/routing'
import { SERVING_SOCKET, type WorkerRoute, type WorkerStart } from '@switchyard/worker-runtime'
import type { Settings } from '../settings.ts'

/** A folder of mode 0700 for the workers' private sockets. */
export class PrivateFolder {
  private readonly path = mkdtempSync(join(tmpdir(), 'switchyard-'))

  /** A path in a folder of the worker's own: its app may have several servers. */
  socketFor(workerId: number): string {
    mkdirSync(this.folderOf(workerId), { mode: 0o700 })
    return join(this.folderOf(workerId), 'app.sock')
  }

  /** The name that its serving server has there. */
  servingSocketOf(workerId: number): string {
    return join(this.folderOf(workerId), SERVING_SOCKET)
  }

  /** The worker is gone, and its sockets with it. */
  removeSocketsOf(workerId: number): void {
    rmSync(this.folderOf(workerId), { recursive: true, force: true })
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true })
  }

  private folderOf(workerId: number): string {
    return join(this.path, String(workerId))
  }
}

/** A port that was free a moment ago, for apps that ask for port 0 while none is configured. */
export async function findFreePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

const TOKEN_BYTES = 24

/** What proves to a worker that a request was forwarded by another. */
export function makeForwardToken(): string {
  return randomBytes(TOKEN_BYTES).toString('base64url')
}

/** What is the same for all workers. */
export type SharedStart = Pick<
  WorkerStart,
  'ticketKeys' | 'routes' | 'ownPolicies' | 'trustedProxies' | 'forwardToken' | 'forwardTimeoutMs'
>

/** Reads it off the settings and the bound routes; the last route is the one that is taken when no other matches. */
export function sharedStart(settings: Settings, routes: readonly Route<{ readonly policy: Policy }>[], forwardToken: string): SharedStart {
  return {
    ticketKeys: settings.ticketKeys.map(({ id, secret }) => ({ id, secret: Buffer.from(secret).toString('base64') })),
    routes: routes.map(workerRoute),
    ownPolicies: settings.file === undefined ? undefined : { module: ownPoliciesModule, file: settings.file },
    trustedProxies: settings.trustedProxies,
    forwardToken,
    forwardTimeoutMs: settings.limits.forwardTimeoutMs,
  }
}

const ownPoliciesModule = new URL(`../config/own-policies${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url).href

function workerRoute({ name, match, pool, policy: { policy } }: Route<{ readonly policy: Policy }>): WorkerRoute {
  return { name, match, pool, ticket: policy.ticket, ...(policy.stays !== undefined && { policy: policy.data ?? 'own' }) }
}
