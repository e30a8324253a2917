// Candidates and heads for test tables.

import { type Candidate, idleLoad, type Load, RequestHead } from '../src/index.ts'

/** A candidate of weight 1 and generation 0 with this many requests in flight, otherwise idle. */
export function candidate(
  slot: number,
  inFlight = 0,
  more: { weight?: number; generation?: number; load?: Partial<Load> } = {},
): Candidate {
  return {
    slot,
    generation: more.generation ?? 0,
    weight: more.weight ?? 1,
    load: { ...idleLoad, inFlight, connections: inFlight, ...more.load },
  }
}

/** Candidates of slots 0, 1, 2 … with these requests in flight. */
export function candidates(...inFlight: number[]): Candidate[] {
  return inFlight.map((count, slot) => candidate(slot, count))
}

/** The load of a loop that has been in its present turn for this long; its average turns are long. */
export function busy(busyMs: number): Partial<Load> {
  return { isFree: false, busyMs, turnWaitMs: 25 }
}

/** The load of a loop with many short turns, which is hardly ever seen waiting. */
export const shortTurns: Partial<Load> = { isFree: false, busyMs: 0.1, turnWaitMs: 0.1 }

/** Reads a head from its text; lines are written with `\n` here and become CRLF. */
export function read(text: string, maxBytes = 16384): RequestHead {
  return readRaw(text.replaceAll('\n', '\r\n'), maxBytes)
}

/** Reads a head from exactly these latin1 characters. */
export function readRaw(text: string, maxBytes = 16384): RequestHead {
  const bytes = Buffer.from(text, 'latin1')
  return RequestHead.read(bytes, bytes.length, maxBytes)
}

/** All orders of a list. */
export function permutations<T>(list: readonly T[]): T[][] {
  if (list.length < 2) return [[...list]]
  return list.flatMap((first, index) => permutations(list.toSpliced(index, 1)).map((rest) => [first, ...rest]))
}
