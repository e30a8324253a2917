// The periods after which log files are rotated, in the local time of this process: a day ends at midnight, an hour at the full hour.

import type { LogRotationSettings } from '../settings.ts'

const MINUTE_MS = 60_000

/** Returns the number of the period of a moment. Moments of one period have the same number. */
export function periodOf({ count, unit }: NonNullable<LogRotationSettings['interval']>): (ms: number) => number {
  const minutes = count * { m: 1, h: 60, d: 1440 }[unit]
  return (ms) => {
    const localMs = ms - new Date(ms).getTimezoneOffset() * MINUTE_MS
    return Math.floor(localMs / (minutes * MINUTE_MS))
  }
}
