// Sets the ticket cookie on responses of routes whose policy uses tickets, unless the request carries a valid ticket of this worker.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { TicketOptions, TicketSeal } from '@switchyard/routing'
import onHeaders from 'on-headers'
import type { Runtime } from '../runtime.ts'
import { isSecure } from '../server/secure-request.ts'
import { headOf } from './steering.ts'
import type { WorkerRouteTable } from './worker-routes.ts'

const DAY_MS = 86_400_000

/** Sets the ticket cookies of one worker. */
export class TicketCookies {
  private readonly runtime: Runtime
  private readonly table: WorkerRouteTable

  constructor(runtime: Runtime, table: WorkerRouteTable) {
    this.runtime = runtime
    this.table = table
  }

  /** Does any route set tickets? */
  static areNeeded({ routes, fallback }: WorkerRouteTable): boolean {
    return [...routes, fallback].some(({ policy }) => policy.ticket !== undefined)
  }

  /** Sets the cookie when the head of the response is written. */
  prepare(request: IncomingMessage, response: ServerResponse): void {
    const head = headOf(request)
    const { policy, pool } = this.table.find(head)
    const options = policy.ticket
    const { start, seal } = this.runtime
    if (options?.cookie === undefined || pool !== start.pool) return
    const now = Date.now()
    const held = head.cookie(options.cookie)
    if (held !== undefined) {
      const ticket = seal.open(held, start.pool, now)
      if (ticket?.slot === start.slot && ticket.generation === start.generation) return
    }
    onHeaders(response, () => {
      response.appendHeader('Set-Cookie', ticketCookie(seal, { ...start, nowMs: now, isSecure: isSecure(request) }, options))
    })
  }
}

/** What a ticket cookie is for. */
export interface TicketOccasion {
  readonly pool: string
  readonly slot: number
  readonly generation: number
  readonly nowMs: number
  /** The client uses TLS. */
  readonly isSecure: boolean
}

/** The value of the field that sets a ticket. */
export function ticketCookie(
  seal: TicketSeal,
  { pool, slot, generation, nowMs, isSecure }: TicketOccasion,
  options: TicketOptions,
): string {
  const maxAgeMs = options.maxAgeMs ?? DAY_MS
  const value = seal.issue({ slot, generation, pool, expiresAtMs: nowMs + maxAgeMs })
  const parts = [
    `${options.cookie}=${value}`,
    `Path=${options.path ?? '/'}`,
    `Max-Age=${Math.floor(maxAgeMs / 1000)}`,
    'HttpOnly',
    `SameSite=${options.sameSite ?? 'Lax'}`,
  ]
  if (options.secure === true || (options.secure !== false && isSecure) || options.sameSite === 'None') parts.push('Secure')
  return parts.join('; ')
}
