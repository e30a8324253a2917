// Sentences for the log that workers send. A sentence that several workers send stands in the log once.

import type { BalancerEmitter } from '../events.ts'
import type { WorkerMessages } from './worker-messages.ts'

/** A worker may send anything: no more sentences are remembered, and none beyond them is logged. */
const MAX_SENTENCES = 64

export function logNotices(messages: WorkerMessages, events: BalancerEmitter): void {
  const logged = new Set<string>()
  messages.subscribe('notice', (worker, { level, message, once }) => {
    if (once === true) {
      if (logged.has(message) || logged.size >= MAX_SENTENCES) return
      logged.add(message)
    }
    events.emit('workerNoticed', { ...worker.workerSlot, level, message })
  })
}
