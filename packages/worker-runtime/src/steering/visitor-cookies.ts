// Looks for cookies that the app sets and that its routes go by (`learn`): whoever gets one belongs to this worker, and the primary is told so before
// the visitor can come again.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { valueGiven, visitorKey } from '@switchyard/routing'
import onHeaders from 'on-headers'
import type { WorkerRoute } from '../protocol.ts'
import type { Runtime } from '../runtime.ts'
import { headOf } from './steering.ts'
import type { VisitorCache } from './visitor-cache.ts'
import type { WorkerRouteTable } from './worker-routes.ts'

/** The cookies by which routes to a pool know visitors. */
export function learnedNames(routes: readonly WorkerRoute[], pool: string): string[] {
  return [...new Set(routes.flatMap((route) => (route.pool === pool ? (route.learns ?? []) : [])))]
}

/** Looks at every request of this worker, whatever its route: a visitor may get the cookie from another than the one that goes by it. */
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

  /** Notes whose request it is, and looks at its answer when that begins. */
  prepare(request: IncomingMessage, response: ServerResponse): void {
    if (request.headers.cookie !== undefined) this.noteVisitor(request)
    onHeaders(response, () => this.look(response))
  }

  /** It is here because the primary wants so, if it is one of a route that goes by such a cookie. */
  private noteVisitor(request: IncomingMessage): void {
    const head = headOf(request)
    const { pool, policy } = this.table.find(head)
    if (pool !== this.runtime.start.pool) return
    for (const name of policy.learns) {
      const value = head.cookie(name)
      if (value !== undefined && value !== '') this.visitors.record(visitorKey(name, value))
    }
  }

  private look(response: ServerResponse): void {
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
