// Workers whose memory grows without end. The least value of each minute is below the teeth of garbage collection; the slope is the median of all
// slopes between two minutes (Theil 1950, Sen 1968), which single minutes can't bend.

import type { Advice } from '../advice.ts'
import { poolsText } from './config-text.ts'
import type { Period, PoolPeriod } from './period.ts'

/** A young worker loads code and fills caches. */
const START_UP_MS = 120_000
const MINUTE_MS = 60_000
const LEAST_MINUTES = 10
const MIB = 1024 ** 2
const LEAST_PER_MINUTE = MIB
const LEAST_GROWTH = 20 * MIB
const LEAST_GROWTH_SHARE = 0.15
/** So many minutes have more than the minute before. */
const LEAST_RISING = 0.75
/** A cache that fills grows ever more slowly: the second half must grow at least so fast, compared with the first. */
const LEAST_STEADY = 0.6
/** Limits are written in steps. */
const LIMIT_STEP = 128 * MIB

interface Growth {
  readonly slot: number
  readonly perMinute: number
  readonly from: number
  readonly to: number
  readonly minutes: number
}

export function growingMemory(period: Period): Advice[] {
  return period.pools.flatMap((pool) => {
    const growing = pool.workers.flatMap(({ slot, pid }) => growthOf(slot, minutesOf(period, pool, pid)) ?? [])
    const [worst] = growing.sort((one, other) => other.perMinute - one.perMinute)
    if (worst === undefined) return []
    const { name, softMemoryBytes } = pool.facts
    const also = growing.length > 1 ? ` So does that of ${growing.length - 1} more of the pool's ${pool.workers.length} workers.` : ''
    const isLimited = Number.isFinite(softMemoryBytes)
    return {
      kind: 'growing-memory',
      subject: `${name}/${worst.slot}`,
      seen: `The memory of ${name}/${worst.slot} has grown by ${(worst.perMinute / MIB).toFixed(1)} MiB a minute for ${worst.minutes} minutes, from ${mib(worst.from)} to ${mib(worst.to)}.${also}`,
      advice: `Look for what the app keeps: 'balancer heap-snapshot ${name}/${worst.slot}' twice, some minutes apart, and compare them in Chrome. ${isLimited ? "Until then 'maxMemory' has the worker replaced." : 'Until it is found, a limit has the worker replaced in time.'}`,
      config: isLimited ? null : poolsText([[name, { maxMemory: { soft: limitFor(worst.to) } }]]),
    }
  })
}

/** The least memory in each minute, the oldest first. */
function minutesOf({ samples }: Period, { facts }: PoolPeriod, pid: number): number[] {
  const least = new Map<number, number>()
  for (const { atMs, pools } of samples) {
    const worker = pools.find(({ name }) => name === facts.name)?.workers.find((one) => one.pid === pid)
    if (worker === undefined || !worker.isReady || worker.readyMs < START_UP_MS || worker.memoryBytes === 0) continue
    const minute = Math.floor(atMs / MINUTE_MS)
    least.set(minute, Math.min(worker.memoryBytes, least.get(minute) ?? Number.POSITIVE_INFINITY))
  }
  return [...least.values()]
}

function growthOf(slot: number, minutes: readonly number[]): Growth | undefined {
  if (minutes.length < LEAST_MINUTES) return undefined
  const [from, to] = [minutes[0] as number, minutes.at(-1) as number]
  const perMinute = slopeOf(minutes)
  const half = Math.floor(minutes.length / 2)
  const rising = minutes.filter((bytes, index) => index > 0 && bytes > (minutes[index - 1] as number)).length / (minutes.length - 1)
  const isLarge = to - from >= Math.max(LEAST_GROWTH, from * LEAST_GROWTH_SHARE)
  const isSteady = slopeOf(minutes.slice(half)) >= LEAST_STEADY * slopeOf(minutes.slice(0, half + 1))
  if (perMinute < LEAST_PER_MINUTE || !isLarge || !isSteady || rising < LEAST_RISING) return undefined
  return { slot, perMinute, from, to, minutes: minutes.length }
}

function slopeOf(values: readonly number[]): number {
  const slopes = values.flatMap((value, index) => values.slice(index + 1).map((later, step) => (later - value) / (step + 1)))
  slopes.sort((one, other) => one - other)
  return slopes[Math.floor(slopes.length / 2)] ?? 0
}

function limitFor(bytes: number): string {
  return `${(Math.ceil((bytes * 1.5) / LIMIT_STEP) * LIMIT_STEP) / MIB}M`
}

function mib(bytes: number): string {
  return `${Math.round(bytes / MIB)} MiB`
}
