// The ideal that every balancer is held against: one queue, first in, first out, and the next worker that is free takes the next piece of work
// (G/G/k). It costs nothing, and nothing in it is ever in the wrong place. Pure.

export interface Job {
  readonly atMs: number
  /** What passes before its work can begin and occupies nobody, such as an answer of a database; the timers of all jobs run side by side. */
  readonly timerMs: number
  /** How long it occupies a worker. */
  readonly blockMs: number
}

/** The latency of each job in milliseconds, in the order given. A job joins the queue when its timer is over; of two at once the first given is first. */
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
