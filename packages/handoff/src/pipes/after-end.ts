// Waits until everything that an exited process has written to a pipe is read.

import type { Duplex } from 'node:stream'

/** Time in which everything that the process wrote has been read. Another process may hold the pipe open. */
const DRAIN_MS = 200

/** Calls `then` when the pipe has been read to its end, or after DRAIN_MS. */
export function afterEnd(pipe: Duplex | undefined, then: () => void): void {
  if (pipe === undefined || pipe.readableEnded || pipe.destroyed) return then()
  // After one more poll, however late the timer is.
  const timer = setTimeout(() => setImmediate(() => pipe.destroy()), DRAIN_MS)
  pipe.once('close', () => {
    clearTimeout(timer)
    then()
  })
}
