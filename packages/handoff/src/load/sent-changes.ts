// How many changes the primary has told a worker of, in the memory that both see. It is counted before the message is sent, so a worker that has heard of
// fewer knows that there is one on its way.

/** Of the words that the primary alone writes: see seats.ts. */
const TOLD = 29

/** A message of a change goes to the worker. */
export function countSentChange(words: Int32Array): void {
  Atomics.add(words, TOLD, 1)
}

/** Goes on from 0 after 2^32. */
export function readSentChanges(words: Int32Array): number {
  return Atomics.load(words, TOLD) >>> 0
}
