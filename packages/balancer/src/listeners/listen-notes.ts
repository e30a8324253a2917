// What the log is told of the servers of the app, once for each pool and not once for each worker.

import type { ListenRequest } from '@switchyard/worker-runtime'
import type { BalancerEmitter } from '../events.ts'
import type { PoolWorker } from '../supervisor/pool-worker.ts'
import { addressText, type Bound } from './listeners.ts'
import type { Wish } from './worker-servers.ts'

type OwnServer = Extract<ListenRequest, { ask: 'own' }>

/** Further lines are not told. */
const MOST = 1024

const OWN = {
  exclusive: 'listens with `exclusive`, and is not balanced: each worker binds it for itself',
  fd: 'listens on a descriptor, and is not balanced: only its own process has that descriptor',
  handle: 'listens on a handle, and is not balanced: only its own process has that handle',
}

export class ListenNotes {
  private readonly events: BalancerEmitter
  private readonly said = new Set<string>()

  constructor(events: BalancerEmitter) {
    this.events = events
  }

  own(worker: PoolWorker, { why, ...address }: OwnServer): void {
    const where = address.port === undefined && address.path === undefined ? '' : ` on ${addressText(address)}`
    this.say(worker, 'info', `the server${where} ${OWN[why]}`)
  }

  unbalanced(worker: PoolWorker, wish: Wish): void {
    this.say(worker, 'info', `the server on ${addressText(wish)} is not balanced ('unbalanced'): the kernel shares it between the workers`)
  }

  tooMany(worker: PoolWorker, wish: Wish): void {
    const why = "there are as many listeners as 'maxListeners' allows"
    this.say(worker, 'warn', `the server on ${addressText(wish)} is not balanced, the kernel shares it between the workers: ${why}`)
  }

  forbidden(worker: PoolWorker, wish: Wish): void {
    const remedy = "name the address in 'listen', and the primary listens there for it"
    this.say(worker, 'warn', `the user of this worker may not listen on ${addressText(wish)}: ${remedy}`)
  }

  /** It stood in for the config, and can't have the address that it asked for. `code`: the system's error; undefined: there are too many listeners. */
  unreached(worker: PoolWorker, wish: Wish, code: string | undefined): void {
    const why = code ?? "there are as many listeners as 'maxListeners' allows"
    this.say(worker, 'warn', `the server on ${addressText(wish)} gets no connections: the primary can't listen there (${why})`)
  }

  overlapping(worker: PoolWorker, wish: Wish, bound: Bound): void {
    const [where, there] = [addressText(wish), addressText(bound)]
    this.say(
      worker,
      'warn',
      `the server on ${where} gets what comes by ${there}, where other workers listen: a restart changes the address`,
    )
  }

  private say({ pool, workerSlot }: PoolWorker, level: 'info' | 'warn', message: string): void {
    const text = `${pool}: ${message}`
    if (this.said.has(text) || this.said.size >= MOST) return
    this.said.add(text)
    this.events.emit('workerNoticed', { ...workerSlot, level, message })
  }
}
