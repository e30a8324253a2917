// The ideal that every balancer is compared with: one queue, first in, first out, from which the next free worker takes the next job
// (G/G/k). It costs nothing. Pure.

export interface Job {
  readonly atMs: number
  /** Milliseconds before its work can start. They occupy no worker, as the wait for a database does not. The timers of all jobs run side by side. */
  readonly timerMs: number
  /** How long it occupies a worker. */
  readonly blockMs: number
}

/**
 * The latency of each job in milliseconds, in the order given. A job joins the queue when its timer is over; of two at once the first given
 * is first.
 */
export function centralQueue(jobs: readonly Job[], workers: number): readonly number[] {
  const latencies = jobs.map(() => 0)
  const freeAtMs = Array.from({ length: workers }, () => 0)
  const queue = jobs.map(({ atMs, timerMs, blockMs }, index) => ({ index, atMs, joinsAtMs: atMs + timerMs, blockMs }))
  for (const { index, atMs, joinsAtMs, blockMs } of queue.sort((one, other) => one.joinsAtMs - other.joinsAtMs)) {
    const next = freeAtMs.indexOf(Math.min(...freeAtMs))
    const endsAtMs = Math.max(joinsAtMs, freeAtMs[next] as number) + blockMs
    freeAtMs[next] = endsAtMs
    latencies[index] = endsAtMs - atMs
  }
  return latencies
}
