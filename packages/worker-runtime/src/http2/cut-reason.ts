// Why Node itself has ended a connection of HTTP/2.

import type { CutReason } from '../cut-messages.ts'

/** Of nghttp2: NGHTTP2_ERR_FLOODED, NGHTTP2_ERR_TOO_MANY_CONTINUATIONS and NGHTTP2_ERR_TOO_MANY_SETTINGS. */
const FLOODS: ReadonlySet<number> = new Set([-904, -905, -537])
const TOO_MANY = /^ERR_HTTP2_TOO_MANY/

/** Undefined: the client did, or the connection is broken. */
export function cutReasonOf({ code = '', errno }: Pick<NodeJS.ErrnoException, 'code' | 'errno'>): CutReason | undefined {
  if (TOO_MANY.test(code) || (code === 'ERR_HTTP2_ERROR' && FLOODS.has(errno ?? 0))) return 'flood'
  return code === 'ERR_HTTP2_ERROR' ? 'protocol' : undefined
}
