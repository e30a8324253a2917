// The responses with which the primary refuses a connection. Each is one complete HTTP/1.1 response, built once. A TLS client gets an alert, and a client of
// HTTP/2 a GOAWAY.

/** Why a connection is refused, with the status of the answer. */
export const refusals = {
  'head-too-large': { status: 431, phrase: 'Request Header Fields Too Large' },
  'head-timeout': { status: 408, phrase: 'Request Timeout' },
  'not-http': { status: 400, phrase: 'Bad Request' },
  'proxy-header-missing': { status: 400, phrase: 'Bad Request' },
  'proxy-header-invalid': { status: 400, phrase: 'Bad Request' },
  'proxy-header-untrusted': { status: 400, phrase: 'Bad Request' },
  'ambiguous-head': { status: 400, phrase: 'Bad Request' },
  'too-many-unrouted': { status: 503, phrase: 'Service Unavailable' },
  'too-many-unrouted-per-address': { status: 429, phrase: 'Too Many Requests' },
  'client-refused': { status: 429, phrase: 'Too Many Requests' },
  'no-worker': { status: 503, phrase: 'Service Unavailable' },
  'queue-full': { status: 503, phrase: 'Service Unavailable' },
  'queue-timeout': { status: 503, phrase: 'Service Unavailable' },
} as const

export type RefusalReason = keyof typeof refusals

/** What is wrong with the PROXY protocol header of a refused connection. */
export type ProxyHeaderFault = Extract<RefusalReason, `proxy-header-${string}`>

/** A fatal alert (RFC 8446 §6): `internal_error`, the alert of a server that cannot go on for a reason of its own. */
const TLS_ALERT = Buffer.from([21, 3, 3, 0, 2, 2, 80])

/** An empty SETTINGS frame, then GOAWAY for stream 0 (RFC 9113 §6.5 and §6.8). The last byte is the error code. */
const GOAWAY = Buffer.from([...[0, 0, 0, 4, 0, 0, 0, 0, 0], ...[0, 0, 8, 7, 0, 0, 0, 0, 0], ...[0, 0, 0, 0, 0, 0, 0]])
const NO_ERROR = 0
const PROTOCOL_ERROR = 1
const ENHANCE_YOUR_CALM = 11
/** The client may try again. */
const AGAIN: ReadonlySet<RefusalReason> = new Set(['no-worker', 'queue-full', 'queue-timeout'])

const answers = new Map<string, Buffer>()

/** The bytes of the response. `retryAfterS`: whole seconds, sent with 503 and 429 (RFC 9110 §10.2.3). */
export function refusalAnswer(reason: RefusalReason, retryAfterS = 1): Buffer {
  const { status, phrase } = refusals[reason]
  const key = `${reason} ${retryAfterS}`
  let answer = answers.get(key)
  if (answer === undefined) {
    const body = `${status} ${phrase}\n`
    const retry = status === 503 || status === 429 ? `Retry-After: ${retryAfterS}\r\n` : ''
    answer = Buffer.from(
      `HTTP/1.1 ${status} ${phrase}\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\n${retry}Connection: close\r\n\r\n${body}`,
      'latin1',
    )
    answers.set(key, answer)
  }
  return answer
}

/**
 * The bytes for a client that has begun a TLS handshake: with `not-http` the HTTP response, because nothing behind the listener speaks TLS,
 * otherwise a TLS alert.
 */
export function refusalAlert(reason: RefusalReason): Buffer {
  return reason === 'not-http' ? refusalAnswer(reason) : TLS_ALERT
}

/** The bytes for a client of HTTP/2. */
export function refusalGoaway(reason: RefusalReason): Buffer {
  const code = reason === 'not-http' ? PROTOCOL_ERROR : AGAIN.has(reason) ? NO_ERROR : ENHANCE_YOUR_CALM
  return Buffer.concat([GOAWAY, Buffer.of(code)])
}
