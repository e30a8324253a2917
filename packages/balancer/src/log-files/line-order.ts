// The order of lines that come from several files and from memory.

import type { ReadLine } from './line-text.ts'

export type TimedLine = ReadLine & { readonly time: number }

/** Merges series that are sorted by time. Lines of one millisecond keep the order of the series. */
export async function* merged(series: readonly AsyncGenerator<TimedLine>[]): AsyncGenerator<TimedLine> {
  const heads: { source: AsyncGenerator<TimedLine>; line: TimedLine }[] = []
  const advance = async (source: AsyncGenerator<TimedLine>): Promise<TimedLine | undefined> => {
    const { done, value } = await source.next()
    return done === true ? undefined : value
  }
  for (const source of series) {
    const line = await advance(source)
    if (line !== undefined) heads.push({ source, line })
  }
  while (heads.length > 0) {
    let first = 0
    for (let index = 1; index < heads.length; index++) if (timeOf(heads[index]) < timeOf(heads[first])) first = index
    const head = heads[first] as (typeof heads)[number]
    yield head.line
    const next = await advance(head.source)
    if (next === undefined) heads.splice(first, 1)
    else head.line = next
  }
}

function timeOf(head: { line: TimedLine } | undefined): number {
  return head?.line.time ?? 0
}

/**
 * Passes the lines that are older than those known already. Of the lines in the millisecond of the oldest known one, as many are held back for each
 * worker as are known: the last ones.
 */
export class OlderThan {
  private readonly oldestMs: number
  private readonly known = new Map<string, number>()
  private readonly held = new Map<string, TimedLine[]>()

  constructor(known: readonly ReadLine[]) {
    this.oldestMs = known[0]?.time ?? Number.POSITIVE_INFINITY
    for (const line of known) if (line.time === this.oldestMs) this.known.set(keyOf(line), (this.known.get(keyOf(line)) ?? 0) + 1)
  }

  /** Returns the line to show next: this one, or one that was held back. */
  pass(line: TimedLine): TimedLine | undefined {
    if (line.time !== this.oldestMs) return line.time < this.oldestMs ? line : undefined
    const key = keyOf(line)
    const held = this.held.get(key) ?? []
    held.push(line)
    this.held.set(key, held)
    return held.length > (this.known.get(key) ?? 0) ? held.shift() : undefined
  }
}

/** A text file does not say which stream a line is of. */
function keyOf({ pool, slot, stream }: ReadLine): string {
  return `${pool}/${slot}/${stream === undefined}`
}
