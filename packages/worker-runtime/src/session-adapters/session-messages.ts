// What a worker asks the embedded store, and what it hears. A line carries frames of 1 MiB at most, so both sides cut what they have to say by weight.

/** As lists: a name, then the arguments of the method of that name; what is left out is null. */
import { type Found, MAX_TTL_MS, sessionIdForm, type Written } from '@switchyard/sessions'
export type SessionCommand =
  | readonly ['read', id: string, known: number | null]
  | readonly ['write', id: string, text: string, ttlMs: number, expected: number | null]
  | readonly ['touch', id: string, ttlMs: number]
  | readonly ['destroy', id: string, expected: number | null]
  | readonly ['ids', limit: number, skip: number]
  | readonly ['clear']

/** null: the command made no sense. */
export type SessionReply = Found | Written | boolean | 'conflict' | readonly string[] | null

export const MAX_COMMANDS = 512
/** Ids in one reply. */
export const MAX_IDS = 4096
/** Of all texts in one frame, as JSON: what is around them has the rest of the MiB. */
export const MAX_FRAME_WEIGHT = 900_000

/** The most that a character becomes: \u0000. */
const MAX_ESCAPE = 6

/** How many characters a text has in a frame, or a bound on it. */
export function weightOf(text: string): number {
  const bound = text.length * MAX_ESCAPE
  return bound <= MAX_FRAME_WEIGHT / 4 ? bound : JSON.stringify(text).length
}

/** Cuts a list so that each part fits into a frame; `weigh` gives what an item has beside its id. No item is heavier than a frame. */
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

/** The commands of a worker; undefined stands for each that makes no sense. */
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
