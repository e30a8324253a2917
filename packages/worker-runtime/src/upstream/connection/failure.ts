// How a proxied request failed: the reason for logs and metrics, and the status of the answer.

/** Before an answer began. */
export const FAILURES = {
  'connect-failed': 502,
  'connect-timeout': 504,
  'tls-failed': 502,
  'closed-early': 502,
  'bad-answer': 502,
  'response-timeout': 504,
  'client-timeout': 408,
  'no-connection': 503,
} as const

export type FailureReason = keyof typeof FAILURES
export type FailureStatus = (typeof FAILURES)[FailureReason]

/** The code of our own connect timer. */
export const CONNECT_TIMEOUT = 'UPSTREAM_CONNECT_TIMEOUT'

/** The code of an answer that is no HTTP/1. */
export const BAD_ANSWER = 'UPSTREAM_BAD_ANSWER'

/** The reason for an error of a connection. `isConnected`: it was ready for a request. */
export function reasonOf(error: (Error & { code?: string }) | undefined, isConnected: boolean, isTls: boolean): FailureReason {
  const code = error?.code ?? ''
  if (!isConnected) {
    if (code === CONNECT_TIMEOUT || code === 'ETIMEDOUT') return 'connect-timeout'
    return isTls && !/^E(CONN|HOST|NET|AI_|NOTFOUND|PIPE|ADDR)|^ENO/.test(code) ? 'tls-failed' : 'connect-failed'
  }
  return code === BAD_ANSWER || code.startsWith('HPE_') ? 'bad-answer' : 'closed-early'
}
