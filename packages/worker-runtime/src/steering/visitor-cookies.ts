// Watches for cookies that the app sets and that `learn` policies use: a visitor who gets such a cookie belongs to this worker. The primary
// learns of it before the visitor can send another request.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { valueGiven, visitorKey } from '@switchyard/routing'
import onHeaders from 'on-headers'
import type { WorkerRoute } from '../protocol.ts'
import type { Runtime } from '../runtime.ts'
import { headOf } from './steering.ts'
import type { VisitorCache } from './visitor-cache.ts'
import type { WorkerRouteTable } from './worker-routes.ts'

/** The cookies that a pool's routes use to identify visitors. */
export function learnedNames(routes: readonly WorkerRoute[], pool: string): string[] {
  return [...new Set(routes.flatMap((route) => (route.pool === pool ? (route.learns ?? []) : [])))]
}

/** Examines every request of this worker: the route that sets the cookie may be another than the one that uses it. */
export class VisitorCookies {
  private readonly runtime: Runtime
  private readonly table: WorkerRouteTable
  private readonly visitors: VisitorCache
  private readonly names: readonly string[]

  constructor(runtime: Runtime, table: WorkerRouteTable, visitors: VisitorCache) {
    this.runtime = runtime
    this.table = table
    this.visitors = visitors
    this.names = learnedNames(runtime.start.routes, runtime.start.pool)
  }

  /** Records the request's visitor, and examines the head of the response when it is written. */
  prepare(request: IncomingMessage, response: ServerResponse): void {
    if (request.headers.cookie !== undefined) this.recordVisitor(request)
    onHeaders(response, () => this.recordCookies(response))
  }

  /** A request of a route with such a cookie is here because the primary sent it. */
  private recordVisitor(request: IncomingMessage): void {
    const head = headOf(request)
    const { pool, policy } = this.table.find(head)
    if (pool !== this.runtime.start.pool) return
    for (const name of policy.learns) {
      const value = head.cookie(name)
      if (value !== undefined && value !== '') this.visitors.record(visitorKey(name, value))
    }
  }

  private recordCookies(response: ServerResponse): void {
    const fields = response.getHeader('set-cookie')
    if (fields === undefined) return
    const keys: string[] = []
    for (const field of typeof fields === 'object' ? fields : [String(fields)]) {
      for (const name of this.names) {
        const value = valueGiven(field, name)
        const key = value === undefined ? undefined : visitorKey(name, value)
        if (key !== undefined && this.visitors.give(key)) keys.push(key)
      }
    }
    if (keys.length > 0) this.runtime.send({ switchyard: 'learned', keys })
  }
}
