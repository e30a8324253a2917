// Pools with many more workers than cores, and pools whose workers wait for other servers nearly always: more workers do not help them.

import type { Advice } from '../advice.ts'
import { poolsText } from './config-text.ts'
import type { Period, PoolPeriod } from './period.ts'

/** A pool may have more workers than cores: some apps block in the kernel, and pools take turns. */
const MOST_PER_CORE = 4
const MOST_BEYOND = 4

/** Advice on idle loops needs a long time, many requests, and several in flight. */
const IDLE_MS = 600_000
const LEAST_PER_SECOND = 5
const LEAST_IN_FLIGHT = 2
const LEAST_IDLE_WORKERS = 3
/** The busiest moment of all loops of the pool together, in loops. */
const MOST_BUSY = 0.25
/** Responses that take longer are held open on purpose. */
const MOST_SERVICE_MS = 5_000
const LEAST_SERVICE_MS = 50

export function tooManyWorkers({ cores, pools }: Period): Advice[] {
  return pools
    .filter(({ workers }) => readyOf(workers) >= Math.max(MOST_PER_CORE * cores, cores + MOST_BEYOND))
    .map(({ facts: { name }, workers }) => {
      const ready = workers.filter(({ now }) => now.isReady)
      const memory = Math.round(ready.reduce((sum, { now }) => sum + now.memoryBytes, 0) / 1024 ** 2)
      return {
        kind: 'too-many-workers',
        subject: name,
        seen: `Pool '${name}' has ${ready.length} workers on ${cores} core${cores === 1 ? '' : 's'}: at most ${cores} of them can run at a time. Together they take ${memory} MiB.`,
        advice: `Start one worker for each core. The others only take memory, and wait for a core while they hold requests.`,
        config: poolsText([[name, { workers: 'max' }]]),
      }
    })
}

export function idleLoops(period: Period): Advice[] {
  if (period.ms < IDLE_MS) return []
  return period.pools.flatMap((pool) => {
    const { facts, workers, answered, durationMs } = pool
    const ready = readyOf(workers)
    const serviceMs = durationMs / Math.max(1, answered)
    const isSlow = serviceMs >= LEAST_SERVICE_MS && serviceMs <= MOST_SERVICE_MS
    if (ready < LEAST_IDLE_WORKERS || facts.isAutoscaled || !isSlow || answered < (LEAST_PER_SECOND * period.ms) / 1000) return []
    const moments = period.samples.map((sample) => sample.pools.find(({ name }) => name === facts.name)?.workers ?? [])
    const busiest = Math.max(...moments.map((all) => all.reduce((sum, { utilisation }) => sum + utilisation, 0)))
    const inFlight = moments.reduce((sum, all) => sum + all.reduce((count, one) => count + one.inFlight, 0), 0) / moments.length
    if (busiest > MOST_BUSY || inFlight < LEAST_IN_FLIGHT) return []
    const waiting = Math.floor((1 - busiest / ready) * 100)
    return {
      kind: 'idle-loops',
      subject: facts.name,
      seen: `The ${ready} workers of pool '${facts.name}' have waited for other servers at least ${waiting} % of the time for ${Math.round(period.ms / 60_000)} minutes: a request takes ${Math.round(serviceMs)} ms, and all loops together were busy ${Math.ceil(busiest * 100)} % of one core at most.`,
      advice: `More workers do not make these requests faster: look at what they wait for, such as a database. Two workers are enough for this load; one serves while the other restarts.`,
      config: poolsText([[facts.name, { workers: 2 }]]),
    }
  })
}

function readyOf(workers: PoolPeriod['workers']): number {
  return workers.filter(({ now }) => now.isReady).length
}
