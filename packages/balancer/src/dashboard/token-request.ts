// Reads the token of a request that opens a session.

import type { IncomingMessage } from 'node:http'
import { RequestFault, readJson } from '../control/control-requests.ts'

const MAX_TOKEN_LENGTH = 100

/** Throws a RequestFault. */
export async function readToken(request: IncomingMessage): Promise<string> {
  const body = await readJson(request)
  const token = typeof body === 'object' && body !== null ? (body as { token?: unknown }).token : undefined
  if (typeof token !== 'string' || token === '' || token.length > MAX_TOKEN_LENGTH) throw new RequestFault(400, 'a token is expected')
  return token
}
