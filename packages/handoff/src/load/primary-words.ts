// What the primary tells one worker in the words of the shared row: how many connections to keep, and how many changes were sent.

import { primaryWords, rowWords } from './shared-page.ts'

/** Sets how many kept-alive connections the worker keeps between requests; the others rest with the primary. undefined: it keeps all. */
export function writeKeptLimit(words: Int32Array, count: number | undefined): void {
  words[primaryWords.keptLimit] = count === undefined ? 0 : count + 1
}

/** Does the worker keep its connections, with as many as it has now? A worker without connections counts as if it had one. */
export function keepsConnections(words: Int32Array): boolean {
  const most = words[primaryWords.keptLimit] as number
  return most === 0 || Math.max(words[rowWords.connections] as number, 1) < most
}

/** Counts a change before its message is sent, so that a worker that has received fewer knows that a message is on its way. */
export function countSentChange(words: Int32Array): void {
  Atomics.add(words, primaryWords.sentChanges, 1)
}

/** Changes sent since the worker's start; wraps to 0 after 2^32. */
export function readSentChanges(words: Int32Array): number {
  return Atomics.load(words, primaryWords.sentChanges) >>> 0
}
