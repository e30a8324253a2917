// The tag of a hand-off, in one 32-bit word: the listener of its connection, whether its head is complete, and for the access log how the
// connection came to its worker. On the way between processes also: do its bytes begin with what a proxy said of the client?

/** On the way between two processes: the bytes of the entry begin with a packed `ProxiedClient`. */
const PROXIED = 1 << 15
const HEAD_COMPLETE = 1 << 16
const MOVED = 1 << 17
/** A floating-point number: 9 bits of mantissa and 3 bits of exponent, from this bit on. */
const WAIT_SHIFT = 18
const MANTISSA_BITS = 9
const MAX_MANTISSA = (1 << MANTISSA_BITS) - 1
const MAX_EXPONENT = 7
const WAIT_CODES = 1 << 12
/** A request has come over the connection: what the tag says of its way does not concern later ones. The sign bit stays 0. */
const USED = 1 << 30

/** Listeners have numbers below this. */
export const MAX_LISTENER_NUMBERS = PROXIED

/**
 * The tag of a connection of listener 0 to 32,767. `headComplete`: a whole HTTP/1 head is in the kernel, so the worker may start the
 * request at once.
 */
export function packTag(listener: number, headComplete: boolean): number {
  return headComplete ? listener | HEAD_COMPLETE : listener
}

/** Is a whole HTTP/1 head in the kernel? */
export function isHeadComplete(tag: number): boolean {
  return (tag & HEAD_COMPLETE) !== 0
}

/** The number of the listener that accepted the connection. */
export function listenerOf(tag: number): number {
  return tag & (PROXIED - 1)
}

/** Marks a connection that another worker has given back with its next request. */
export function withMoved(tag: number): number {
  return tag | MOVED
}

/** Did another worker give the connection back with the request that comes first? */
export function isMoved(tag: number): boolean {
  return (tag & MOVED) !== 0
}

/** Adds how long the connection waited in the queue of its pool: exact up to 511 ms, then within 0.4 %, and at most 65 s. */
export function withWait(tag: number, ms: number): number {
  let mantissa = Math.max(0, Math.floor(ms))
  let exponent = 0
  for (; mantissa > MAX_MANTISSA && exponent < MAX_EXPONENT; exponent++) mantissa = Math.floor(mantissa / 2)
  const code = (exponent << MANTISSA_BITS) | Math.min(mantissa, MAX_MANTISSA)
  return (tag & ((1 << WAIT_SHIFT) - 1)) | (code << WAIT_SHIFT)
}

/** The wait in ms. */
export function waitOf(tag: number): number {
  const code = (tag >>> WAIT_SHIFT) % WAIT_CODES
  return (code & MAX_MANTISSA) << (code >>> MANTISSA_BITS)
}

/** The tag once the request is seen that came with the hand-off. */
export function withUsed(tag: number): number {
  return tag | USED
}

/** Has a request been seen? */
export function isUsed(tag: number): boolean {
  return (tag & USED) !== 0
}

/** Marks an entry whose bytes begin with a packed `ProxiedClient`. */
export function withProxied(tag: number): number {
  return tag | PROXIED
}

/** Do the bytes of the entry begin with a packed `ProxiedClient`? */
export function isProxied(tag: number): boolean {
  return (tag & PROXIED) !== 0
}

/** The tag without that mark, which only entries on their way have. */
export function withoutProxied(tag: number): number {
  return tag & ~PROXIED
}
