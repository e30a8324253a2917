// Messages that workers send to the primary over their control pipes. Each goes to the listeners that subscribed to its kind.

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

  /** Calls the listeners in the order in which they subscribed. */
  publish(worker: PoolWorker, message: ToPrimary): void {
    for (const listener of this.listeners.get(message.switchyard) ?? []) listener(worker, message)
  }
}
