// Waits for the end of what a process that is gone has written.

import type { Duplex } from 'node:stream'

/** Another process may hold the pipe open; what the process itself had written has been read by then. */
const LAST_WORDS_MS = 200

/** Calls `then` when the pipe has been read to its end, or soon. */
export function afterEnd(pipe: Duplex | undefined, then: () => void): void {
  if (pipe === undefined || pipe.readableEnded || pipe.destroyed) return then()
  // Not before the poll that follows, however late the timer is.
  const timer = setTimeout(() => setImmediate(() => pipe.destroy()), LAST_WORDS_MS)
  pipe.once('close', () => {
    clearTimeout(timer)
    then()
  })
}
