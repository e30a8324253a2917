// What the access log knows of one request: taken down when the request begins, and completed when it ends.

import type { IncomingMessage, ServerResponse } from 'node:http'

/** How a request came to its worker, other than directly: with its connection, which another worker gave back; or alone, from another worker. */
export type Placement = 'moved' | 'forwarded'

export interface AccessEntry {
  readonly request: IncomingMessage
  /** As the client sent it; an app may change the request's own. */
  readonly url: string
  readonly address: string | undefined
  /** On the monotonic clock. */
  readonly beganMs: number
  /** In the queue of the pool; undefined: the connection was in this worker already. */
  readonly waitMs: number | undefined
  readonly placement: Placement | undefined
}

/** An entry at its end. */
export interface EndedEntry {
  readonly entry: AccessEntry
  /** Milliseconds since 1970. */
  readonly endedMs: number
  readonly serviceMs: number
  readonly status: number
  /** Bytes of the body as sent; undefined: unknown. */
  readonly bytes: number | undefined
  /** The connection ended before the response did. */
  readonly isAborted: boolean
}

/** The status of a request whose connection ended before its answer began, as in nginx. */
export const NO_ANSWER = 499

/** Was the response written to its end? */
export function isWhole(response: ServerResponse): boolean {
  return response.req.httpVersionMajor === 1 ? response.writableFinished : response.writableEnded
}

/** Fields that a log may show, as the client sent them. */
export interface LoggedFields {
  host: string | undefined
  referer: string | undefined
  agent: string | undefined
  authorization: string | undefined
}

/** Reads the fields in one pass, without Node's object of all fields. */
export function fieldsOf({ rawHeaders }: Pick<IncomingMessage, 'rawHeaders'>): LoggedFields {
  const found: LoggedFields = { host: undefined, referer: undefined, agent: undefined, authorization: undefined }
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string
    switch (name.length) {
      case 4:
        if (isField(name, 'Host', 'host')) found.host = rawHeaders[at + 1]
        break
      case 7:
        if (isField(name, 'Referer', 'referer')) found.referer = rawHeaders[at + 1]
        break
      case 10:
        if (isField(name, 'User-Agent', 'user-agent')) found.agent = rawHeaders[at + 1]
        else if (name === ':authority') found.host = rawHeaders[at + 1]
        break
      case 13:
        if (isField(name, 'Authorization', 'authorization')) found.authorization = rawHeaders[at + 1]
    }
  }
  return found
}

function isField(name: string, usual: string, lower: string): boolean {
  return name === usual || name === lower || name.toLowerCase() === lower
}
