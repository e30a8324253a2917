// Requests that block the event loop, in a pool where others suffer from it: they need a pool of their own.

import { type BlockingPath, SAMPLE_EVERY } from '@switchyard/worker-runtime'
import type { Advice } from '../advice.ts'
import { poolsText, routesText } from './config-text.ts'
import type { Period, PoolPeriod } from './period.ts'

/** Fewer are no evidence. */
const LEAST_REQUESTS = 10
/** Requests of the pool that do not block. */
const LEAST_OTHERS = 50
/** Where loops are blocked for less time, fewer than one request in a hundred meets a blocked loop. */
const LEAST_SHARE = 0.01
/** Of the requests with this path, so many block: the others are no accident of the machine or of garbage collection. */
const LEAST_BLOCKING = 0.3
const MAX_PIECES = 3
const HEAVY = 'heavy'

type Blocking = { -readonly [Name in keyof BlockingPath]: BlockingPath[Name] }

/** By the name of the pool in which they block. */
export function blockingRequests(period: Period): ReadonlyMap<string, Advice[]> {
  const pieces = period.pools.map((pool) => [pool.facts.name, piecesOf(pool, period)] as const)
  return new Map(pieces.filter(([, advice]) => advice.length > 0))
}

function piecesOf(pool: PoolPeriod, { ms, cores, config }: Period): Advice[] {
  const found = sumOf(pool)
  const blocked = found.reduce((sum, { requests }) => sum + requests, 0)
  const others = pool.workers.reduce((sum, { begun }) => sum + begun, 0) - blocked
  if (others < LEAST_OTHERS) return []
  return found
    .filter(({ requests, blockedMs, sampled }) => {
      const isOften = requests >= LEAST_BLOCKING * sampled * SAMPLE_EVERY
      return requests >= LEAST_REQUESTS && isOften && blockedMs >= LEAST_SHARE * ms * pool.workers.length
    })
    .sort((one, other) => other.blockedMs - one.blockedMs)
    .slice(0, MAX_PIECES)
    .map((one) => pieceOf(one, pool, { ms, cores, config, others }))
}

interface Context extends Pick<Period, 'ms' | 'cores' | 'config'> {
  readonly others: number
}

function pieceOf({ method, path, requests, blockedMs }: Blocking, { facts, workers }: PoolPeriod, context: Context): Advice {
  const { ms, cores, config, others } = context
  const each = Math.round(blockedMs / requests)
  const paths = Math.max(0, ...workers.map(({ observed }) => observed?.otherPaths ?? 0))
  const subject = `${method} ${path}`
  const heavy = config.pools.find(({ name }) => name === HEAVY)
  const name = facts.name === HEAVY ? `${HEAVY}-2` : HEAVY
  const needed = Math.min(cores, Math.max(1, Math.ceil((blockedMs / Math.max(ms, 1)) * 1.3)))
  const options = {
    app: config.hasFile ? facts.app : undefined,
    workers: needed,
    // Requests that take long wait long.
    queue: { timeoutMs: 30_000 },
  }
  // A config that names pools has no other ones.
  const present = config.hasFile ? [] : config.pools.map((pool) => [pool.name, {}] as const)
  const route = routesText([{ ...(method !== 'GET' && { method }), path, pool: name }])
  return {
    kind: 'blocking-requests',
    subject,
    seen: `${subject} blocks the event loop for ${each} ms a request (${requests} requests). Meanwhile its worker of pool '${facts.name}' does nothing else, and ${others} other requests${paths > 1 ? ` of ${paths} paths` : ''} share these workers.`,
    advice: `Give it a pool of its own, so that light requests do not wait behind it. The route goes before the others in 'routes'.`,
    config: heavy !== undefined && facts.name !== HEAVY ? route : `${poolsText([...present, [name, options]])}\n${route}`,
  }
}

/** Over all workers of the pool. */
function sumOf({ workers }: PoolPeriod): Blocking[] {
  const sums = new Map<string, Blocking>()
  for (const { method, path, requests, blockedMs, sampled } of workers.flatMap(({ observed }) => observed?.blocking ?? [])) {
    const sum = sums.get(`${method} ${path}`) ?? { method, path, requests: 0, blockedMs: 0, sampled: 0 }
    sum.requests += requests
    sum.blockedMs += blockedMs
    sum.sampled += sampled
    sums.set(`${method} ${path}`, sum)
  }
  return [...sums.values()]
}
