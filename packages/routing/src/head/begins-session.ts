// What begins something that lasts, rather than being a request and its answer.

import type { RequestHead } from './request-head.ts'

/**
 * Does this request begin a websocket (RFC 6455 §4.1) or a session of engine.io (`EIO` without `sid`: the handshake of the Engine.IO protocol, revisions 3 and 4)?
 * Such a thing has no past that only one worker knows, and should not begin with a worker that is about to end it.
 */
export function beginsSession(head: RequestHead): boolean {
  if (head.header('upgrade')?.toLowerCase() === 'websocket') return true
  return head.queryParameter('EIO') !== undefined && head.queryParameter('sid') === undefined
}
