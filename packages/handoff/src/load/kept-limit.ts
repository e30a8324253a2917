// How many kept-alive connections a worker keeps to itself between their requests, instead of letting them rest: a word of the memory that both see.

import { rowWords } from '../native/native-load-row.ts'

/** Of the words that the primary alone writes: see seats.ts. The word is the count plus one, or 0 when the worker keeps all. */
const MOST_KEPT = 28

/** The worker keeps so many. undefined: all. */
export function writeKeptLimit(words: Int32Array, count: number | undefined): void {
  words[MOST_KEPT] = count === undefined ? 0 : count + 1
}

/** Does a worker keep its connections, with as many as it has now? One that has none is asked for the next that comes. */
export function keepsConnections(words: Int32Array): boolean {
  const most = words[MOST_KEPT] as number
  return most === 0 || Math.max(words[rowWords.connections] as number, 1) < most
}
