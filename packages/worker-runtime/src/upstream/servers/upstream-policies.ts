// The policies that choose upstream servers: one for each route of the pool, bound to the servers as to the slots of a worker pool.

import type { IncomingMessage } from 'node:http'
import { bindPolicy, leastBusy, type Policy, policyFromData, type RequestHead, type VisitorSlots } from '@switchyard/routing'
import type { Runtime } from '../../runtime.ts'
import { isSecure } from '../../server/secure-request.ts'
import { RequestRoutes } from '../../steering/request-routes.ts'
import { headOf } from '../../steering/steering.ts'
import { ticketCookie } from '../../steering/ticket-cookie.ts'
import { buildRoutes, loadOwn } from '../../steering/worker-routes.ts'
import type { UpstreamStart } from '../../upstream-start.ts'
import type { UpstreamServer } from './upstream-server.ts'

export interface UpstreamPoliciesOptions {
  readonly runtime: Runtime
  readonly start: UpstreamStart
  /** Those in service. */
  readonly servers: () => readonly UpstreamServer[]
  readonly visitors: VisitorSlots
}

export class UpstreamPolicies {
  private readonly runtime: Runtime
  private readonly routes: RequestRoutes
  private readonly policies: readonly (Policy | undefined)[]
  private readonly first: Policy
  private readonly setsTickets: boolean

  private constructor(runtime: Runtime, routes: RequestRoutes, policies: readonly (Policy | undefined)[]) {
    this.runtime = runtime
    this.routes = routes
    this.policies = policies
    this.first = policies.find((policy) => policy !== undefined) ?? leastBusy()
    this.setsTickets = policies.some((policy) => policy?.ticket !== undefined)
  }

  static async open({ runtime, start, servers, visitors }: UpstreamPoliciesOptions): Promise<UpstreamPolicies> {
    const table = await buildRoutes(runtime, () => [])
    const slots = () => servers().map(({ slot, seatWeight }) => ({ slot, weight: seatWeight }))
    const { seal, start: whole } = runtime
    const scope = { trustedProxies: whole.trustedProxies }
    const own = start.policies.includes('own') ? await loadOwn(whole.ownPolicies) : []
    const bound = (policy: Policy, index: number): Policy => {
      const onError = (error: unknown) =>
        runtime.send({
          switchyard: 'notice',
          level: 'warn',
          message: `the policy of route ${whole.routes[index]?.name} failed: ${error}`,
          once: true,
        })
      return bindPolicy(policy, { pool: whole.pool, seal, now: Date.now, slots, homes: slots, visitors, onError })
    }
    /** Routes with equal policies share one, so that round robin runs over all of their requests. */
    const made = new Map<string, Policy>()
    const policies = start.policies.map((data, index) => {
      if (data === null) return undefined
      const mine = own[index]
      if (data === 'own') return mine && bound(mine, index)
      const key = JSON.stringify(data)
      const policy = made.get(key) ?? bound(policyFromData(data, scope), index)
      made.set(key, policy)
      return policy
    })
    return new UpstreamPolicies(runtime, new RequestRoutes(table), policies)
  }

  /** Cookies of the servers by which visitors are known. */
  get learnedCookies(): readonly string[] {
    return [...new Set(this.policies.flatMap((policy) => policy?.learns ?? []))]
  }

  /** `route`: its number. */
  of(request: IncomingMessage): { policy: Policy; head: RequestHead; route: number } {
    const route = this.routes.indexOf(request)
    return { policy: this.policies[route] ?? this.first, head: headOf(request), route }
  }

  /** The ticket cookie for an answer of this server; undefined: the client needs none. */
  cookieFor(request: IncomingMessage, { slot, generation }: UpstreamServer): string | undefined {
    if (!this.setsTickets) return undefined
    const { policy, head } = this.of(request)
    const options = policy.ticket
    if (options?.cookie === undefined) return undefined
    const { seal, start } = this.runtime
    const nowMs = Date.now()
    const held = head.cookie(options.cookie)
    if (held !== undefined && seal.open(held, start.pool, nowMs)?.slot === slot) return undefined
    return ticketCookie(seal, { pool: start.pool, slot, generation, nowMs, isSecure: isSecure(request) }, options)
  }
}
