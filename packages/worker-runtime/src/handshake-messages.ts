// The message by which a worker tells the primary of its TLS handshakes: counts since the last message, in a fixed order.

/** Why a handshake failed. `other` is any reason that is not listed. */
export const handshakeFailures = [
  'client-certificate',
  'certificate-refused',
  'protocol-version',
  'no-shared-cipher',
  'no-shared-alpn',
  'not-tls',
  'timeout',
  'hung-up',
  'other',
] as const
export type HandshakeFailure = (typeof handshakeFailures)[number]

/** How handshakes ended, in the order of the counts. */
export const handshakeOutcomes = ['full', 'resumed', ...handshakeFailures] as const
export type HandshakeOutcome = (typeof handshakeOutcomes)[number]

/** Counts of a message from a worker, one for each outcome; undefined: they are malformed. */
export function readHandshakes(from: unknown): number[] | undefined {
  if (!Array.isArray(from) || from.length !== handshakeOutcomes.length) return undefined
  return from.every((count) => Number.isSafeInteger(count) && (count as number) >= 0) ? (from as number[]) : undefined
}
