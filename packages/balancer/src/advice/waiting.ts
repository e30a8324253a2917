// Pools in which connections wait for a worker longer than they are served.

import type { Advice } from '../advice.ts'
import { poolsText } from './config-text.ts'
import type { Observations } from './observations.ts'
import { type PoolPeriod, periodOf } from './period.ts'

/** It must last that long. */
const LEAST_MS = 60_000
const LEAST_WAITS = 100
const LEAST_MEAN_MS = 20
/** Of the latency, waiting is so much. */
const LEAST_SHARE = 0.6
/** A loop that is busy less than this has room for more requests. */
const BUSY = 0.7

/** `except`: pools in which requests block, which is why others wait. */
export function waiting(observations: Observations, except: ReadonlyMap<string, unknown>): Advice[] {
  const { samples, cores } = observations
  const whole = periodOf(observations)
  // The last third alone, too: a burst that is over needs nothing.
  const lately = periodOf(observations, Math.floor((samples.length * 2) / 3))
  if (whole.ms < LEAST_MS || lately.ms === 0) return []
  return whole.pools.flatMap((pool, index) => {
    const last = lately.pools[index] as PoolPeriod
    if (except.has(pool.facts.name) || !waitsLong(pool, LEAST_WAITS) || !waitsLong(last, LEAST_WAITS / 3)) return []
    const { name } = pool.facts
    const seen = `Waiting for a worker is ${Math.round(shareOf(pool) * 100)} % of the latency in pool '${name}': ${pool.waits} connections waited ${Math.round(pool.waitedMs / pool.waits)} ms on average, and a request takes ${Math.round(pool.durationMs / Math.max(1, pool.answered))} ms.`
    return { kind: 'waiting', subject: name, seen, ...cure(pool, cores) }
  })
}

function cure({ facts, workers }: PoolPeriod, cores: number): Pick<Advice, 'advice' | 'config'> {
  const ready = workers.filter(({ now }) => now.isReady)
  const busy = ready.reduce((sum, { now }) => sum + now.utilisation, 0) / Math.max(1, ready.length)
  const percent = Math.round(busy * 100)
  if (Number.isFinite(facts.concurrency) && busy < BUSY)
    return {
      advice: `Allow more requests at a time: the loops are busy only ${percent} % of the time, and 'concurrency' keeps requests waiting.`,
      config: poolsText([[facts.name, { concurrency: facts.concurrency * 2 }]]),
    }
  if (ready.length >= cores)
    return {
      advice: `There is a worker for each of the ${cores} cores already. Make the requests cheaper, or add a machine.`,
      config: null,
    }
  const workersNeeded = Math.min(cores, Math.max(ready.length + 1, Math.ceil(ready.length * 1.5)))
  const advice = `Add workers: there are ${ready.length} on ${cores} cores, and their loops are busy ${percent} % of the time.`
  if (facts.isAutoscaled) return { advice: `${advice} Raise 'autoscale.max' of the pool.`, config: null }
  return { advice, config: poolsText([[facts.name, { workers: workersNeeded }]]) }
}

function waitsLong(pool: PoolPeriod, leastWaits: number): boolean {
  return pool.waits >= leastWaits && pool.waitedMs / pool.waits >= LEAST_MEAN_MS && shareOf(pool) >= LEAST_SHARE
}

function shareOf({ waitedMs, durationMs }: PoolPeriod): number {
  return waitedMs / Math.max(1, waitedMs + durationMs)
}
