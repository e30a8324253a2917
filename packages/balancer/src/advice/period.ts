// What has happened between the first and the last sample. A worker that has started since then began at 0; the counts of a worker that is gone
// are left out, so advice that was followed by a reload ends with the old workers.

import type { WorkerObservations } from '@switchyard/worker-runtime'
import type { ConfigFacts, Observations, PoolFacts, Sample, WorkerSample } from './observations.ts'

export interface WorkerPeriod {
  readonly slot: number
  readonly pid: number
  readonly begun: number
  readonly now: WorkerSample
  readonly sessions: WorkerSample['sessions']
  /** Counts are those of the period. */
  readonly observed: WorkerObservations | null
}

export interface PoolPeriod {
  readonly facts: PoolFacts
  /** Connections that waited for a worker, and for how long in all. */
  readonly waits: number
  readonly waitedMs: number
  /** Answered requests of its routes, and their durations. */
  readonly answered: number
  readonly durationMs: number
  /** Workers that run now. */
  readonly workers: readonly WorkerPeriod[]
}

export interface Period {
  readonly ms: number
  readonly cores: number
  readonly config: ConfigFacts
  readonly samples: readonly Sample[]
  /** Pools that get connections. */
  readonly pools: readonly PoolPeriod[]
  /** Answered requests by route. */
  readonly answered: ReadonlyMap<string, number>
}

/** `fromIndex`: of the sample at which the period begins. */
export function periodOf({ cores, config, samples }: Observations, fromIndex = 0): Period {
  const [first, last] = [samples[fromIndex] as Sample, samples.at(-1) as Sample]
  const before = new Map(first.routes.map((route) => [route.route, route]))
  const routes = last.routes.map(({ route, answered, durationMs }) => ({
    route,
    answered: answered - (before.get(route)?.answered ?? 0),
    durationMs: durationMs - (before.get(route)?.durationMs ?? 0),
  }))
  const pools = config.pools
    .filter(({ listens, isScheduled }) => listens && !isScheduled)
    .map((facts) => {
      const [earlier, now] = [first, last].map(({ pools }) => pools.find(({ name }) => name === facts.name))
      const names = new Set(config.routes.filter(({ pool }) => pool === facts.name).map(({ name }) => name))
      const own = routes.filter(({ route }) => names.has(route))
      return {
        facts,
        waits: (now?.waits ?? 0) - (earlier?.waits ?? 0),
        waitedMs: (now?.waitedMs ?? 0) - (earlier?.waitedMs ?? 0),
        answered: own.reduce((sum, { answered }) => sum + answered, 0),
        durationMs: own.reduce((sum, { durationMs }) => sum + durationMs, 0),
        workers: (now?.workers ?? []).map((worker) =>
          workerPeriod(
            worker,
            earlier?.workers.find(({ pid }) => pid === worker.pid),
          ),
        ),
      }
    })
  return {
    ms: last.atMs - first.atMs,
    cores,
    config,
    samples: samples.slice(fromIndex),
    pools,
    answered: new Map(routes.map(({ route, answered }) => [route, answered])),
  }
}

function workerPeriod(now: WorkerSample, before: WorkerSample | undefined): WorkerPeriod {
  const { slot, pid, sessions, observed } = now
  return {
    slot,
    pid,
    now,
    // The count wraps to 0 after 2^32.
    begun: (now.begun - (before?.begun ?? 0)) >>> 0,
    sessions: sessions && {
      kind: sessions.kind,
      commands: sessions.commands - (before?.sessions?.commands ?? 0),
      failed: sessions.failed - (before?.sessions?.failed ?? 0),
    },
    observed: observed && observedSince(observed, before?.observed ?? undefined),
  }
}

function observedSince(now: WorkerObservations, before: WorkerObservations | undefined): WorkerObservations {
  if (before === undefined) return now
  return {
    ...now,
    sampled: Math.max(0, now.sampled - before.sampled),
    blocking: now.blocking.map((one) => {
      const old = before.blocking.find(({ method, path }) => method === one.method && path === one.path)
      return {
        ...one,
        requests: Math.max(0, one.requests - (old?.requests ?? 0)),
        blockedMs: Math.max(0, one.blockedMs - (old?.blockedMs ?? 0)),
        sampled: Math.max(0, one.sampled - (old?.sampled ?? 0)),
      }
    }),
    changingKeys: now.changingKeys.map(({ route, requests }) => ({
      route,
      requests: Math.max(0, requests - (before.changingKeys.find((old) => old.route === route)?.requests ?? 0)),
    })),
    lostSessions: now.lostSessions && {
      ...now.lostSessions,
      requests: Math.max(0, now.lostSessions.requests - (before.lostSessions?.requests ?? 0)),
    },
  }
}
