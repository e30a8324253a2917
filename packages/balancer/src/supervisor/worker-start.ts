// What workers are told at their start, besides their seat: where they listen privately, and what they must know of routes.

import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Policy, Route } from '@switchyard/routing'
import type { TicketRoute } from '@switchyard/worker-runtime'
import type { Settings } from '../settings.ts'

/** A folder of mode 0700 for the workers' private sockets. */
export class PrivateFolder {
  private readonly path = mkdtempSync(join(tmpdir(), 'switchyard-'))

  socketOf(workerId: number): string {
    return join(this.path, `${workerId}.sock`)
  }

  /** The worker is gone, and its sockets with it. */
  removeSocketOf(workerId: number): void {
    rmSync(this.socketOf(workerId), { force: true })
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true })
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

/** The routes as plain data; the last is the one that is taken when no other matches. */
export function ticketRoutes(routes: readonly Route<{ readonly policy: Policy }>[]): TicketRoute[] {
  return routes.map(({ name, match, pool, policy }) => ({ name, match, pool, ticket: policy.policy.ticket }))
}

/** The keys of the tickets, as text. */
export function ticketKeys(settings: Settings): { id: number; secret: string }[] {
  return settings.ticketKeys.map(({ id, secret }) => ({ id, secret: Buffer.from(secret).toString('base64') }))
}
