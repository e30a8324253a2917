// Tells requests that begin something which lasts.

import type { RequestHead } from './request-head.ts'

/**
 * Does this request begin a websocket (RFC 6455 §4.1) or an engine.io session (`EIO` without `sid`: the handshake of Engine.IO revisions 3 and 4)?
 * Such a connection lasts and has no past in any worker, so it should not begin in a worker that is about to end it.
 */
export function beginsSession(head: RequestHead): boolean {
  if (head.header('upgrade')?.toLowerCase() === 'websocket') return true
  return head.queryParameter('EIO') !== undefined && head.queryParameter('sid') === undefined
}
