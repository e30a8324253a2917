// The commands that a worker sends to the embedded store in the primary, and the replies. A frame holds 1 MiB at most, so both sides split
// long lists.

/** The name of a method of the store, then its arguments. null: left out. */
import { type Found, MAX_TTL_MS, sessionIdForm, type Written } from '@switchyard/sessions'
export type SessionCommand =
  | readonly ['read', id: string, known: number | null]
  | readonly ['write', id: string, text: string, ttlMs: number, expected: number | null]
  | readonly ['touch', id: string, ttlMs: number]
  | readonly ['destroy', id: string, expected: number | null]
  | readonly ['ids', limit: number, skip: number]
  | readonly ['clear']

/** null: the command was invalid. */
export type SessionReply = Found | Written | boolean | 'conflict' | readonly string[] | null

export const MAX_COMMANDS = 512
/** Ids in one reply. */
export const MAX_IDS = 4096
/** Length of all texts in one frame, as JSON. The rest of the MiB is for what is around them. */
export const MAX_FRAME_WEIGHT = 900_000

/** Characters of the longest JSON escape, \u0000. */
const MAX_ESCAPE = 6

/** The length of a text in a frame, or an upper bound. */
export function weightOf(text: string): number {
  const bound = text.length * MAX_ESCAPE
  return bound <= MAX_FRAME_WEIGHT / 4 ? bound : JSON.stringify(text).length
}

/**
 * Splits a list into parts that fit into a frame each. `weigh` returns the length of an item without its id, at most `MAX_FRAME_WEIGHT`.
 */
export function* partsOf<Item>(items: readonly Item[], weigh: (item: Item) => number): Generator<readonly Item[]> {
  let from = 0
  let weight = 0
  for (const [index, item] of items.entries()) {
    const more = weigh(item)
    if (index > from && (weight + more > MAX_FRAME_WEIGHT || index - from >= MAX_COMMANDS)) {
      yield items.slice(from, index)
      from = index
      weight = 0
    }
    weight += more
  }
  if (from < items.length) yield items.slice(from)
}

/** Checks the commands of a worker. undefined: an invalid command. */
export function readCommands(values: readonly unknown[]): (SessionCommand | undefined)[] {
  return values.slice(0, MAX_COMMANDS).map(readCommand)
}

function readCommand(value: unknown): SessionCommand | undefined {
  if (!Array.isArray(value)) return undefined
  const [name, first, second, third, fourth] = value as unknown[]
  switch (name) {
    case 'read':
      return isId(first) && isVersion(second) ? ['read', first, second] : undefined
    case 'write':
      if (!isId(first) || typeof second !== 'string' || !isTtl(third) || !isVersion(fourth)) return undefined
      return ['write', first, second, third, fourth]
    case 'touch':
      return isId(first) && isTtl(second) ? ['touch', first, second] : undefined
    case 'destroy':
      return isId(first) && isVersion(second) ? ['destroy', first, second] : undefined
    case 'ids':
      return isCount(first) && isCount(second) ? ['ids', Math.min(first, MAX_IDS), second] : undefined
    case 'clear':
      return ['clear']
    default:
      return undefined
  }
}

function isId(value: unknown): value is string {
  return typeof value === 'string' && sessionIdForm.test(value)
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function isVersion(value: unknown): value is number | null {
  return value === null || isCount(value)
}

function isTtl(value: unknown): value is number {
  return typeof value === 'number' && value > 0 && value <= MAX_TTL_MS
}
