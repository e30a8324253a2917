// How many kept-alive connections a worker keeps to itself between their requests, though they would rest otherwise: a word of the memory that both see.

import { rowWords } from './native-load-row.ts'

/** Of the words that the primary alone writes: see seats.ts. */
const MOST_KEPT = 28

/** The worker keeps so many. 0: all may rest. */
export function tellMostKept(words: Int32Array, count: number): void {
  words[MOST_KEPT] = count
}

/** Does a worker keep its connections, with as many as it has now? */
export function keepsConnections(words: Int32Array): boolean {
  return (words[rowWords.connections] as number) <= (words[MOST_KEPT] as number)
}
