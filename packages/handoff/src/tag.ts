// What a hand-off says of its connection besides the claim: one 32-bit word.

const HEAD_COMPLETE = 1 << 16

/** Listeners have numbers below this. */
export const MAX_LISTENER_NUMBERS = HEAD_COMPLETE

/** The word for a connection of listener 0 to 65,535. `headComplete`: a whole HTTP/1 head lies in the kernel, so the worker may begin the request at once. */
export function packTag(listener: number, headComplete: boolean): number {
  return headComplete ? listener | HEAD_COMPLETE : listener
}

/** Does a whole HTTP/1 head lie in the kernel? */
export function isHeadComplete(tag: number): boolean {
  return (tag & HEAD_COMPLETE) !== 0
}

/** The number of the listener that accepted the connection. */
export function listenerOf(tag: number): number {
  return tag & (HEAD_COMPLETE - 1)
}
