// What a worker announces of its app when no server does, and the message that tells the app to shut down.

import type { Runtime } from '../runtime.ts'

/** An app that fails at its start has failed by then, in most cases. */
const STARTED_MS = 200

/** Reports that the app has started, once its loop has turned for a while. Keeps no process alive. */
export function announceStart(runtime: Runtime): void {
  setImmediate(() => setTimeout(() => runtime.send({ switchyard: 'started' }), STARTED_MS).unref())
}

/** Gives the app the message 'shutdown', as if the primary had sent it, in the next loop turn. Returns whether the app listens for messages. */
export function sendShutdownMessage(): boolean {
  if (process.listenerCount('message') === 0) return false
  setImmediate(() => process.emit('message', 'shutdown', undefined))
  return true
}
