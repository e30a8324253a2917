// What workers send to the primary over their control pipes: each message goes to the parts that subscribed to its kind.

import type { ToPrimary } from '@switchyard/worker-runtime'
import type { PoolWorker } from './pool-worker.ts'

type Kind = ToPrimary['switchyard']
type MessageOf<K extends Kind> = Extract<ToPrimary, { switchyard: K }>
type Listener<K extends Kind> = (worker: PoolWorker, message: MessageOf<K>) => void

export class WorkerMessages {
  private readonly listeners = new Map<Kind, Listener<Kind>[]>()

  subscribe<K extends Kind>(kind: K, listener: Listener<K>): void {
    this.listeners.set(kind, [...(this.listeners.get(kind) ?? []), listener as unknown as Listener<Kind>])
  }

  /** Passes a message on, in the order of the subscriptions. */
  publish(worker: PoolWorker, message: ToPrimary): void {
    for (const listener of this.listeners.get(message.switchyard) ?? []) listener(worker, message)
  }
}
