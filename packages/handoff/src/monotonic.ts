// Times that one process passes to another: µs of the machine's monotonic clock, truncated to 32 bits. They wrap after 71 minutes.

/** Longer than anything that is measured. The difference to a later time counts as a huge one. */
const MAX_ELAPSED_US = 30 * 60_000_000

/** Now. */
export function monotonicUs(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return (seconds * 1_000_000 + Math.floor(nanoseconds / 1000)) | 0
}

/** Milliseconds from one such time to another; undefined: the first is not before the second. */
export function elapsedMs(sinceUs: number, untilUs: number): number | undefined {
  const us = (untilUs - sinceUs) >>> 0
  return us > MAX_ELAPSED_US ? undefined : us / 1000
}
