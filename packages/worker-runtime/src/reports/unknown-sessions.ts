// Notices that requests of one engine.io session (socket.io's polling) come to several workers: the session is in one of them only, and what goes to another
// is lost. The route is not sticky then, or the session ids carry no ticket. Looks at refused requests only.

import type { ServerResponse } from 'node:http'
import { headOf } from '../steering/steering.ts'
import { hasStickyIds } from '../steering/sticky-ids.ts'
import type { WorkerRouteTable } from '../steering/worker-routes.ts'

/** What engine.io answers to a session that it does not know. */
const REFUSED_STATUS = 400

export interface UnknownSessionsOptions {
  readonly table: WorkerRouteTable
  /** How many workers the pool has at this moment. */
  readonly workers: () => number
  readonly warn: (message: string) => void
}

/** Of one worker; warns once. */
export class UnknownSessions {
  readonly #options: UnknownSessionsOptions
  #hasWarned = false

  constructor(options: UnknownSessionsOptions) {
    this.#options = options
  }

  /** A response with a status of 400 and up is over. */
  noteResponse({ statusCode, req: request }: ServerResponse): void {
    const { table, workers, warn } = this.#options
    const { url = '' } = request
    if (statusCode !== REFUSED_STATUS || this.#hasWarned || !/[?&]EIO=\d/.test(url) || !/[?&]sid=./.test(url)) return
    if (workers() < 2) return
    const { ticket, policy } = table.find(headOf(request)).policy
    const isSticky = policy !== undefined
    // Such a session was in a worker that has ended: its client begins a new one.
    if (isSticky && (ticket === undefined || hasStickyIds())) return
    this.#hasWarned = true
    warn(isSticky ? NO_TICKET : notSticky(url))
  }
}

const WHAT = 'a socket.io client asked this worker for a session that it does not have, so its messages are lost'
const CALL = "call stickyIds(io.engine) of '@switchyard/worker-runtime' in the app"
const NO_TICKET = `${WHAT}: its session ids carry no ticket. To mend it, ${CALL}`

function notSticky(url: string): string {
  const route = `{ path: '${routePath(url)}', policy: sticky({ by: ticket() }) }`
  return `${WHAT}: its route is not sticky. To mend it, put ${route} first in 'routes' of balancer.config, and ${CALL}; or let clients use websockets only`
}

/** The path as a route matches it. What a client made up is not repeated. */
function routePath(url: string): string {
  const path = (url.split('?', 1)[0] as string).replace(/\/+$/, '')
  return /^(?:\/[\w.-]+){1,4}$/.test(path) ? `${path}/*` : '/socket.io/*'
}
