// Finds out what is behind the file of a unix socket, by a connection that is closed at once.

import { connect } from 'node:net'

/**
 * Resolves with 'connected', with 'timeout' when the socket neither accepts nor refuses within `timeoutMs`, or with the code of the system's
 * error. Never rejects.
 */
export function probeSocket(path: string, timeoutMs: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(path)
    const end = (outcome: string): void => {
      socket.destroy()
      resolve(outcome)
    }
    socket.setTimeout(timeoutMs, () => end('timeout'))
    socket.once('connect', () => end('connected'))
    socket.once('error', ({ code = 'unknown' }: NodeJS.ErrnoException) => end(code))
  })
}
