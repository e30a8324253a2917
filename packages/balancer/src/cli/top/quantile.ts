// Quantiles of response times from counts in buckets, as Prometheus computes them: linear within a bucket.

import { responseBoundsMs } from '@switchyard/handoff'

/** The quantile in ms; undefined without a response. Infinity: beyond the last bound. `counts` has one bucket more than there are bounds. */
export function quantile(counts: readonly number[], part: number): number | undefined {
  const total = counts.reduce((sum, count) => sum + count, 0)
  if (total === 0) return undefined
  const rank = total * part
  let below = 0
  for (const [bucket, count] of counts.entries()) {
    if (below + count < rank || count === 0) {
      below += count
      continue
    }
    const end = responseBoundsMs[bucket]
    if (end === undefined) return Number.POSITIVE_INFINITY
    const start = bucket === 0 ? 0 : (responseBoundsMs[bucket - 1] as number)
    return start + ((end - start) * (rank - below)) / count
  }
  return undefined
}
