// The parts of a line of the access log. Adjacent parts that seldom change from one line to the next are kept as bytes and copied.

import { CHANGES, type EndedRequest } from './ended-request.ts'
import type { Escapes, LineBuffer, Region } from './line-buffer.ts'

export type FieldReader<V> = (ended: EndedRequest) => V
/** The name of a value that is often the same from line to line. */
export type SteadyValue = keyof typeof CHANGES

export interface LinePart {
  /** The values on which its text depends; undefined: it differs from line to line. */
  readonly dependsOn: readonly SteadyValue[] | undefined
  write(ended: EndedRequest, line: LineBuffer): void
}

const SECOND_MS = 1000
/** Digits of a time in ms from 2001 to 2286. */
const TIME_DIGITS = 13
const ZERO = 48
const NONE = '-'

/** Always the same plain ASCII. */
export function literalPart(text: string): LinePart {
  const bytes = Buffer.from(text, 'latin1')
  return { dependsOn: [], write: (_, line) => line.write(bytes) }
}

/** Text that is often the same; `-` if there is none. */
export function steadyPart(value: SteadyValue, read: FieldReader<string | undefined>): LinePart {
  return { dependsOn: [value], write: (ended, line) => line.writeText(read(ended) || NONE, 'text') }
}

/** Text that differs from line to line. */
export function changingPart(read: FieldReader<string>, escapes: Escapes): LinePart {
  return { dependsOn: undefined, write: (ended, line) => line.writeText(read(ended), escapes) }
}

/** For JSON: `before`, text that is often the same, and `after`; nothing at all if there is no text. */
export function optionalPart(value: SteadyValue, before: string, read: FieldReader<string | undefined>, after: string): LinePart {
  const [first, last] = [Buffer.from(before, 'latin1'), Buffer.from(after, 'latin1')]
  return {
    dependsOn: [value],
    write(ended, line) {
      const text = read(ended)
      if (text === undefined) return
      line.write(first)
      line.writeText(text, 'json')
      line.write(last)
    },
  }
}

/** A whole number from 0 on that differs from line to line; `none` if it is negative. */
export function numberPart(read: FieldReader<number>, none: string): LinePart {
  return {
    dependsOn: undefined,
    write(ended, line) {
      const value = read(ended)
      if (value < 0) line.writeText(none, 'text')
      else line.writeNumber(value)
    },
  }
}

/** Milliseconds with one digit behind the point. */
export function tenthsPart(read: FieldReader<number>): LinePart {
  return { dependsOn: undefined, write: (ended, line) => line.writeTenths(read(ended)) }
}

/** For JSON: the upstream server and the time until its answer began; nothing at all for a request that was sent to none. */
export function upstreamPart(before: string, between: string, withoutTime: string): LinePart {
  const [first, second, end] = [before, between, withoutTime].map((text) => Buffer.from(text, 'latin1')) as [Buffer, Buffer, Buffer]
  return {
    dependsOn: undefined,
    write({ upstream, upstreamMs }, line) {
      if (upstream === undefined) return
      line.write(first)
      line.writeText(upstream, 'json')
      if (upstreamMs < 0) return line.write(end)
      line.write(second)
      line.writeTenths(upstreamMs)
    },
  }
}

/** `before` and the end of the request in ms since 1970. Most lines are of the same second as the one before. */
export function timePart(before: string): LinePart {
  const bytes = Buffer.from(before + '0'.repeat(TIME_DIGITS), 'latin1')
  const last = bytes.length - 1
  let lastMs = Number.NaN
  let secondMs = Number.NaN
  return {
    dependsOn: undefined,
    write({ endedMs }, line) {
      if (endedMs !== lastMs) {
        lastMs = endedMs
        const rest = endedMs - secondMs
        if (rest >= 0 && rest < SECOND_MS) {
          bytes[last] = ZERO + (rest % 10)
          bytes[last - 1] = ZERO + (((rest / 10) | 0) % 10)
          bytes[last - 2] = ZERO + ((rest / 100) | 0)
        } else {
          secondMs = endedMs - (endedMs % SECOND_MS)
          bytes.write(String(endedMs).padStart(TIME_DIGITS, '0'), before.length, 'latin1')
        }
      }
      line.write(bytes)
    },
  }
}

/** Adjacent parts that seldom change: their bytes are copied while all their values stay the same. */
class SteadyParts implements LinePart {
  readonly dependsOn = undefined
  private readonly parts: readonly LinePart[]
  /** Bits of the values. */
  private readonly values: number
  /** Where they stand in the last line. */
  private region: Region | undefined
  /** A copy, once they were the same for two lines. */
  private bytes: Uint8Array | undefined

  constructor(parts: readonly LinePart[]) {
    this.parts = parts
    this.values = parts.flatMap(({ dependsOn = [] }) => dependsOn).reduce((sum, value) => sum | CHANGES[value], 0)
  }

  write(ended: EndedRequest, line: LineBuffer): void {
    const { bytes } = this
    if ((ended.changes & this.values) === 0 && bytes !== undefined) line.write(bytes)
    else this.rewrite(ended, line)
  }

  private rewrite(ended: EndedRequest, line: LineBuffer): void {
    const isSame = (ended.changes & this.values) === 0
    this.bytes = isSame ? this.region && line.copyOf(this.region) : undefined
    if (this.bytes !== undefined) return line.write(this.bytes)
    const from = line.end
    for (const part of this.parts) part.write(ended, line)
    this.region = line.isCut ? undefined : line.regionFrom(from)
  }
}

/** Joins adjacent parts that seldom change. */
export function joined(parts: readonly LinePart[]): readonly LinePart[] {
  const joint: LinePart[] = []
  let steady: LinePart[] = []
  const join = () => {
    if (steady.length > 0) joint.push(new SteadyParts(steady))
    steady = []
  }
  for (const part of parts) {
    if (part.dependsOn !== undefined) steady.push(part)
    else {
      join()
      joint.push(part)
    }
  }
  join()
  return joint
}
