// Emits what workers send for the log and the access log. A sentence marked `once` is logged once, however many workers send it.

import type { BalancerEmitter } from '../events.ts'
import type { WorkerMessages } from './worker-messages.ts'

/** Bounds the memory, since a worker may send anything. When it is full, further sentences marked `once` are dropped. */
const MAX_SENTENCES = 64

export function logNotices(messages: WorkerMessages, events: BalancerEmitter): void {
  const logged = new Set<string>()
  messages.subscribe('access-lost', ({ pool, slot }, { lines: lost }) =>
    events.emit('requestsLogged', { pool, slot, block: undefined, lost }),
  )
  messages.subscribe('notice', (worker, { level, message, once }) => {
    if (once === true) {
      if (logged.has(message) || logged.size >= MAX_SENTENCES) return
      logged.add(message)
    }
    events.emit('workerNoticed', { ...worker.workerSlot, level, message })
  })
}
