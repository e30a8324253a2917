// Detects that requests of one engine.io session (socket.io's polling) reach several workers. The session lives in one of them only, so messages
// to the others are lost: the route is not sticky, or the session ids carry no ticket. Only refused requests are examined.

import type { ServerResponse } from 'node:http'
import { headOf } from '../steering/steering.ts'
import { hasStickyIds } from '../steering/sticky-ids.ts'
import type { WorkerRouteTable } from '../steering/worker-routes.ts'

/** engine.io's answer to an unknown session. */
const REFUSED_STATUS = 400

export interface UnknownSessionsOptions {
  readonly table: WorkerRouteTable
  /** The number of ready workers in the pool. */
  readonly workers: () => number
  readonly warn: (message: string) => void
  /** Called with each lost session. `path`: of the route that it needs. */
  readonly onLost?: ((path: string, isSticky: boolean) => void) | undefined
}

/** Warns once per worker. */
export class UnknownSessions {
  private readonly options: UnknownSessionsOptions
  private hasWarned = false

  constructor(options: UnknownSessionsOptions) {
    this.options = options
  }

  /** A response with a status of 400 or above has ended. */
  onErrorResponse({ statusCode, req: request }: ServerResponse): void {
    const { table, workers, warn, onLost } = this.options
    const { url = '' } = request
    if (statusCode !== REFUSED_STATUS || (this.hasWarned && onLost === undefined) || !/[?&]EIO=\d/.test(url) || !/[?&]sid=./.test(url))
      return
    if (workers() < 2) return
    const { ticket, policy } = table.find(headOf(request)).policy
    const isSticky = policy !== undefined
    // The session was in a worker that has exited: its client begins a new one.
    if (isSticky && (ticket === undefined || hasStickyIds())) return
    onLost?.(routePath(url), isSticky)
    if (this.hasWarned) return
    this.hasWarned = true
    warn(isSticky ? NO_TICKET : notSticky(url))
  }
}

const WHAT = 'a socket.io client sent a request for a session that this worker does not have, so its messages are lost'
const CALL = "call stickyIds(io.engine) from '@switchyard/worker-runtime' in the app"
const NO_TICKET = `${WHAT}: its session ids carry no ticket. To fix it, ${CALL}`

function notSticky(url: string): string {
  const route = `{ path: '${routePath(url)}', policy: sticky({ by: ticket() }) }`
  return `${WHAT}: its route is not sticky. To fix it, put ${route} first in 'routes' of balancer.config, and ${CALL}; or let clients use websockets only`
}

/** The path as a route pattern. A path that a client may have made up is not repeated. */
function routePath(url: string): string {
  const path = (url.split('?', 1)[0] as string).replace(/\/+$/, '')
  return /^(?:\/[\w.-]+){1,4}$/.test(path) ? `${path}/*` : '/socket.io/*'
}
