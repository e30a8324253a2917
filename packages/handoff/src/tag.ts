// The tag of a hand-off: the listener of its connection and whether its head is complete, in one 32-bit word.

const HEAD_COMPLETE = 1 << 16

/** Listeners have numbers below this. */
export const MAX_LISTENER_NUMBERS = HEAD_COMPLETE

/**
 * The tag of a connection of listener 0 to 65,535. `headComplete`: a whole HTTP/1 head is in the kernel, so the worker may start the
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
  return tag & (HEAD_COMPLETE - 1)
}
