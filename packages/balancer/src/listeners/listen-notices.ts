// Log lines about the servers of an app: once for each pool, not once for each worker.

import type { ListenRequest } from '@switchyard/worker-runtime'
import type { BalancerEmitter } from '../events.ts'
import type { PoolWorker } from '../supervisor/pool-worker.ts'
import { addressText, type Bound } from './listeners.ts'
import type { ServerRequest } from './worker-servers.ts'

type OwnServer = Extract<ListenRequest, { ask: 'own' }>

/** After so many different lines there are no more. */
const MAX_LINES = 1024

const OWN = {
  exclusive: 'listens with `exclusive` and is not balanced: each worker binds the address itself',
  fd: 'listens on a descriptor and is not balanced: only its own process has that descriptor',
  handle: 'listens on a handle and is not balanced: only its own process has that handle',
}

export class ListenNotices {
  private readonly events: BalancerEmitter
  private readonly seen = new Set<string>()

  constructor(events: BalancerEmitter) {
    this.events = events
  }

  own(worker: PoolWorker, { why, ...address }: OwnServer): void {
    const where = address.port === undefined && address.path === undefined ? '' : ` on ${addressText(address)}`
    this.notify(worker, 'info', `the server${where} ${OWN[why]}`)
  }

  unbalanced(worker: PoolWorker, request: ServerRequest): void {
    this.notify(
      worker,
      'info',
      `the server on ${addressText(request)} is not balanced ('unbalanced'): the kernel distributes its connections`,
    )
  }

  /** The pool does not listen. */
  ofPool(worker: PoolWorker, request: ServerRequest): void {
    const why = "the pool does not listen ('listens: false'), so the kernel distributes its connections"
    this.notify(worker, 'info', `the server on ${addressText(request)} is not balanced: ${why}`)
  }

  tooMany(worker: PoolWorker, request: ServerRequest): void {
    const why = "there are as many listeners as 'maxListeners' allows"
    this.notify(worker, 'warn', `the server on ${addressText(request)} is not balanced, the kernel distributes its connections: ${why}`)
  }

  twiceTls(worker: PoolWorker, message: string): void {
    this.notify(worker, 'warn', message)
  }

  forbidden(worker: PoolWorker, request: ServerRequest): void {
    const remedy = "name the address in 'listen', so that the primary listens there"
    this.notify(worker, 'warn', `the user of this worker may not listen on ${addressText(request)}: ${remedy}`)
  }

  /**
   * A server gives its listener to another server and can't get the address that it asked for. `code`: the system's error; undefined: too many
   * listeners.
   */
  unreached(worker: PoolWorker, request: ServerRequest, code: string | undefined): void {
    const why = code ?? "there are as many listeners as 'maxListeners' allows"
    this.notify(worker, 'warn', `the server on ${addressText(request)} gets no connections: the primary can't listen there (${why})`)
  }

  overlapping(worker: PoolWorker, request: ServerRequest, bound: Bound): void {
    const [where, there] = [addressText(request), addressText(bound)]
    this.notify(
      worker,
      'warn',
      `the server on ${where} gets connections of ${there}, where other workers listen: the address changes with a restart`,
    )
  }

  private notify({ pool, workerSlot }: PoolWorker, level: 'info' | 'warn', message: string): void {
    const text = `${pool}: ${message}`
    if (this.seen.has(text) || this.seen.size >= MAX_LINES) return
    this.seen.add(text)
    this.events.emit('workerNoticed', { ...workerSlot, level, message })
  }
}
