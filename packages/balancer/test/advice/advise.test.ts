// Each piece of advice with its evidence, and what comes near it and is none.

import type { WorkerObservations } from '@switchyard/worker-runtime'
import { assert, suite } from '../../../../test/suite.ts'
import { advise } from '../../src/advice/advise.ts'
import type { ConfigFacts, Observations, WorkerSample } from '../../src/advice/observations.ts'
import { config, MIB, MINUTE, nothing, observations, pool, sample, started, web, worker } from './observed.ts'

const test = suite('advise')

interface Case {
  readonly title: string
  /** Kind and subject. */
  readonly advice: readonly string[]
  readonly seen: Observations
}

function workersWith(observed: Partial<WorkerObservations>, begun: number, count = 2): WorkerSample[] {
  return Array.from({ length: count }, (_, slot) => worker(slot, { begun, observed: { ...nothing, ...observed } }))
}

/** After a minute. Each of two workers has `begun` requests. */
function blockingCase(
  blocking: Partial<WorkerObservations['blocking'][0]>,
  { begun = 500, sampled = 60, changes = {} }: { begun?: number; sampled?: number; changes?: Partial<Observations> } = {},
): Observations {
  const one = { method: 'GET', path: '/reports/:id', requests: 20, blockedMs: 4_000, sampled: 2, ...blocking }
  const workers = workersWith({ blocking: [one], sampled, otherPaths: 6 }, begun)
  return observations([sample(MINUTE, [pool(workers)], begun * 2)], changes)
}

const heavyPool = { ...web, name: 'heavy' }
const reports = 'blocking-requests GET /reports/:id'

/** So many connections have waited so long at the end of each of three minutes. */
function waitingCase(waits: readonly number[], eachMs: number, utilisation: number, facts = web, cores = 4): Observations {
  const workers = [worker(0, { utilisation }), worker(1, { utilisation })]
  return observations(
    waits.map((count, index) =>
      sample((index + 1) * MINUTE, [pool(workers, { waits: count, waitedMs: count * eachMs })], 1_000 * (index + 1), 10),
    ),
    { cores, config: { ...config, pools: [facts] } },
  )
}

/** Memory of one worker, in MiB, one value a minute with teeth of garbage collection of up to 60 MiB above it. */
function memoryCase(minutes: readonly number[], changes: Partial<WorkerSample> = {}, facts = web): Observations {
  const samples = minutes.flatMap((mib, minute) =>
    [0, 35, 60, 0].map((tooth, quarter) =>
      sample(minute * MINUTE + quarter * 15_000 + 1, [pool([worker(0, { memoryBytes: (mib + tooth) * MIB, ...changes })])]),
    ),
  )
  return observations(samples, { samples, config: { ...config, pools: [facts] } })
}

const from = (length: number, of: (index: number) => number) => Array.from({ length }, (_, index) => of(index))

function idleCase({ utilisation = 0.02, eachMs = 300, answered = 6_000, minutes = 12, workers = 4, inFlight = 2 }): Observations {
  const samples = from(minutes + 1, (index) => index).map((index) => {
    const all = from(workers, (slot) => slot).map((slot) => worker(slot, { utilisation, inFlight }))
    return sample(index * MINUTE, [pool(all)], (answered / minutes) * index, eachMs)
  })
  return observations(samples, { samples, cores: 8 })
}

function sessionCase(commands: number, failed: number): Observations {
  return observations([sample(MINUTE, [pool([worker(0, { sessions: { kind: 'redis', commands, failed } }), worker(1)])])])
}

function observedCase(observed: Partial<WorkerObservations>, answered = 1_000, changes: Partial<ConfigFacts> = {}): Observations {
  const samples = [sample(MINUTE, [pool(workersWith(observed, answered / 2))], answered)]
  return observations(samples, { config: { ...config, ...changes } })
}

const changing = (requests: number) => ({ changingKeys: [{ route: '(everything else)', requests }] })
const lost = (requests: number, isSticky = false) => ({ lostSessions: { requests, isSticky, path: '/socket.io/*' } })
const proxy = (clients: number) => ({ proxies: [{ address: '10.0.0.5', clients }] })
const many = (count: number, cores: number) =>
  observations([sample(MINUTE, [pool(from(count, (slot) => slot).map((slot) => worker(slot)))])], { cores })

const cases: readonly Case[] = [
  { title: 'a balancer that has just started', advice: [], seen: observations([sample(1, [pool([worker(0), worker(1)])])]) },

  // ---- Requests that block ----
  { title: 'reports block the loop, and other requests share the workers', advice: [reports], seen: blockingCase({}) },
  { title: 'few reports', advice: [], seen: blockingCase({ requests: 4 }) },
  { title: 'a pool that has reports only', advice: [], seen: blockingCase({}, { begun: 30 }) },
  {
    title: 'a few of many requests for that path blocked',
    advice: [],
    seen: blockingCase({ sampled: 40 }, { begun: 5_000, sampled: 600 }),
  },
  { title: 'loops blocked for less than one per cent of the time', advice: [], seen: blockingCase({ blockedMs: 500 }) },
  {
    title: 'a worker that blocked before the period, and not since',
    advice: [],
    seen: (() => {
      const whole = blockingCase({})
      const [, minute] = whole.samples
      return { ...whole, samples: [minute, { ...minute, atMs: 3 * MINUTE }] as typeof whole.samples }
    })(),
  },
  {
    title: 'workers that blocked and are gone',
    advice: [],
    seen: (() => {
      const whole = blockingCase({})
      return { ...whole, samples: [...whole.samples, sample(2 * MINUTE, [pool([worker(5, { begun: 500 })])], 1_500)] }
    })(),
  },

  // ---- Proxies ----
  { title: 'one address forwards for forty clients', advice: ['untrusted-proxy 10.0.0.5'], seen: observedCase(proxy(40)) },
  { title: 'one that forwards for a few', advice: [], seen: observedCase(proxy(5)) },
  { title: 'one that is trusted by now', advice: [], seen: observedCase(proxy(40), 1_000, { trustedProxies: ['10.0.0.5'] }) },

  // ---- Numbers of workers ----
  { title: 'eight workers on two cores', advice: ['too-many-workers web'], seen: many(8, 2) },
  { title: 'four workers on two cores', advice: [], seen: many(4, 2) },
  { title: 'four workers on one core', advice: [], seen: many(4, 1) },
  { title: 'sixteen workers on eight cores', advice: [], seen: many(16, 8) },
  { title: 'four workers wait for a database all the time', advice: ['idle-loops web'], seen: idleCase({}) },
  { title: 'they do so for five minutes only', advice: [], seen: idleCase({ minutes: 5 }) },
  { title: 'two workers do', advice: [], seen: idleCase({ workers: 2 }) },
  { title: 'there are few requests', advice: [], seen: idleCase({ answered: 600 }) },
  { title: 'requests are quick', advice: [], seen: idleCase({ eachMs: 2 }) },
  { title: 'requests are long polls', advice: [], seen: idleCase({ eachMs: 25_000 }) },
  { title: 'the loops are busy at times', advice: [], seen: idleCase({ utilisation: 0.1 }) },
  { title: 'no request is in flight for long', advice: [], seen: idleCase({ inFlight: 0 }) },

  // ---- Stickiness ----
  { title: 'the key of half of the requests is a new one', advice: ['changing-key (everything else)'], seen: observedCase(changing(250)) },
  { title: 'that of every fifth', advice: [], seen: observedCase(changing(100)) },
  { title: 'that of a few requests', advice: [], seen: observedCase(changing(30), 80) },
  { title: 'socket.io without stickiness', advice: ['lost-sessions /socket.io/*'], seen: observedCase(lost(15)) },
  { title: 'socket.io with a sticky route, without stickyIds', advice: ['lost-sessions /socket.io/*'], seen: observedCase(lost(15, true)) },
  { title: 'a few lost sessions, as after a crash', advice: [], seen: observedCase(lost(4)) },

  // ---- Waiting ----
  { title: 'connections wait longer than they are served', advice: ['waiting web'], seen: waitingCase([500, 1_000, 1_500], 100, 0.95) },
  { title: 'they did so a while ago', advice: [], seen: waitingCase([1_500, 1_500, 1_500], 100, 0.95) },
  { title: 'they wait for a moment', advice: [], seen: waitingCase([500, 1_000, 1_500], 15, 0.95) },
  { title: 'few wait', advice: [], seen: waitingCase([20, 40, 60], 300, 0.95) },
  { title: 'they wait less than half of the latency', advice: [], seen: waitingCase([100, 200, 300], 50, 0.95) },
  {
    title: 'others wait because of reports',
    advice: [reports],
    seen: (() => {
      const workers = workersWith(
        { blocking: [{ method: 'GET', path: '/reports/:id', requests: 90, blockedMs: 50_000, sampled: 9 }], sampled: 90 },
        900,
      )
      const minutes = [1, 2, 3].map((minute) =>
        sample(minute * MINUTE, [pool(workers, { waits: 500 * minute, waitedMs: 90_000 * minute })], 600 * minute, 10),
      )
      return observations(minutes, { cores: 4 })
    })(),
  },

  // ---- Memory ----
  { title: 'memory grows by 5 MiB a minute', advice: ['growing-memory web/0'], seen: memoryCase(from(14, (minute) => 100 + 5 * minute)) },
  {
    title: 'it grows, with minutes in which it does not',
    advice: ['growing-memory web/0'],
    seen: memoryCase(from(14, (minute) => 100 + 6 * minute - (minute % 5 === 4 ? 9 : 0))),
  },
  { title: 'memory that stays, with the teeth of garbage collection', advice: [], seen: memoryCase(from(14, () => 100)) },
  { title: 'a cache that fills', advice: [], seen: memoryCase(from(14, (minute) => 100 + 80 * (1 - 0.7 ** minute))) },
  { title: 'a step', advice: [], seen: memoryCase(from(14, (minute) => (minute < 7 ? 100 : 180))) },
  { title: 'a slow wave', advice: [], seen: memoryCase(from(14, (minute) => 140 + 40 * Math.sin(minute / 2))) },
  { title: 'growth by half a MiB a minute', advice: [], seen: memoryCase(from(14, (minute) => 100 + 0.5 * minute)) },
  { title: 'growth for eight minutes', advice: [], seen: memoryCase(from(8, (minute) => 100 + 10 * minute)) },
  {
    title: 'a worker that is young',
    advice: [],
    seen: memoryCase(
      from(14, (minute) => 100 + 5 * minute),
      { readyMs: MINUTE },
    ),
  },

  // ---- Sessions ----
  { title: 'two per cent of the session commands fail', advice: ['failing-sessions web'], seen: sessionCase(1_000, 20) },
  { title: 'two of a thousand', advice: [], seen: sessionCase(1_000, 2) },
  { title: 'four of fifty', advice: [], seen: sessionCase(50, 4) },
]

for (const { title, advice, seen } of cases) {
  test(`${advice.length === 0 ? 'no advice' : advice.join(', ')}: ${title}`, () => {
    assert.equal(
      advise(seen).map(({ kind, subject }) => `${kind} ${subject}`),
      advice,
    )
  })
}

/** What a user gets who pastes the config. */
function pasted(seen: Observations): Record<string, unknown> {
  const [{ config: text } = { config: null }] = advise(seen)
  return new Function(`return { ${text} }`)()
}

test('reports: the text has the figures, and the config is a pool and a route', () => {
  const [piece] = advise(blockingCase({}))
  assert.match(
    piece?.seen ?? '',
    /^GET \/reports\/:id blocks the event loop for 200 ms a request \(40 requests\).* 960 other requests of 6 paths/,
  )
  assert.equal(pasted(blockingCase({})), {
    pools: { heavy: { app: './server.js', workers: 1, queue: { timeoutMs: 30_000 } } },
    routes: [{ path: '/reports/:id', pool: 'heavy' }],
  })
  const post = pasted(blockingCase({ method: 'POST', blockedMs: 50_000 }, { changes: { cores: 4 } }))
  assert.equal(post, {
    pools: { heavy: { app: './server.js', workers: 3, queue: { timeoutMs: 30_000 } } },
    routes: [{ method: 'POST', path: '/reports/:id', pool: 'heavy' }],
  })
})

test('reports: a pool that is there is used, and without a config file the present pools are named too', () => {
  const there = { ...config, pools: [web, heavyPool] }
  assert.equal(pasted(blockingCase({}, { changes: { config: there } })), { routes: [{ path: '/reports/:id', pool: 'heavy' }] })
  const none = { ...config, hasFile: false }
  assert.equal(pasted(blockingCase({}, { changes: { config: none } })).pools, {
    web: {},
    heavy: { workers: 1, queue: { timeoutMs: 30_000 } },
  })
})

test('waiting: more workers where there are cores, more requests at a time where loops are idle, else neither', () => {
  const waits = [500, 1_000, 1_500]
  assert.equal(pasted(waitingCase(waits, 100, 0.95)), { pools: { web: { workers: 3 } } })
  assert.equal(pasted(waitingCase(waits, 100, 0.1, { ...web, concurrency: 4 })), { pools: { web: { concurrency: 8 } } })
  const [full] = advise(waitingCase(waits, 100, 0.95, web, 2))
  assert.is(full?.config, null)
  assert.match(full?.advice ?? '', /add a machine/)
  assert.match(full?.seen ?? '', /Waiting for a worker is 83 % of the latency .*1500 connections waited 100 ms/)
})

test('the other configs', () => {
  assert.equal(pasted(observedCase(proxy(40), 1_000, { trustedProxies: ['127.0.0.1'] })), { trustedProxies: ['127.0.0.1', '10.0.0.5'] })
  assert.equal(pasted(many(8, 2)), { pools: { web: { workers: 'max' } } })
  assert.equal(pasted(idleCase({})), { pools: { web: { workers: 2 } } })
  assert.equal(pasted(observedCase(lost(15))), { routes: [{ path: '/socket.io/*', pool: 'web', policy: { sticky: { by: 'ticket' } } }] })
  assert.equal(pasted(memoryCase(from(14, (minute) => 100 + 5 * minute))), { pools: { web: { maxMemory: { soft: '256M' } } } })
  assert.equal(pasted(sessionCase(1_000, 20)), { sessions: { onOutage: 'read-cached' } })
  const route = [{ name: '/cart/*', pool: 'web' }]
  const cart = observedCase({ changingKeys: [{ route: '/cart/*', requests: 250 }] }, 1_000, { routes: route })
  const [minute] = cart.samples.slice(1)
  const samples = [started, { ...minute, routes: [{ route: '/cart/*', answered: 1_000, durationMs: 1 }] }] as typeof cart.samples
  assert.equal(pasted({ ...cart, samples }), { routes: [{ path: '/cart/*', policy: { sticky: { by: 'ticket' } } }] })
})

test.run()
