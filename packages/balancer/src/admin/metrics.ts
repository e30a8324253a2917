// The balancer's numbers for Prometheus, read from its status at each scrape: nothing is counted twice and nothing on the way of a connection knows of it.

import { type LoadDetails, responseBoundsMs } from '@switchyard/handoff'
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import type { BalancerStatus, MoveStatus, PoolStatus, StatusSource, WorkerStatus } from '../status.ts'
import { FilledHistogram, type HistogramRow } from './filled-histogram.ts'
import { SlotTotals } from './slot-totals.ts'

type Row = { labels: Record<string, string | number>; value: number }
type Read = (status: BalancerStatus) => Row[]

interface NumberDefinition {
  name: string
  help: string
  type: 'counter' | 'gauge'
  labels?: string[]
  read: Read
}

interface HistogramDefinition {
  name: string
  help: string
  type: 'histogram'
  labels: string[]
  buckets: number[]
  read: (status: BalancerStatus) => HistogramRow[]
}

type MetricDefinition = NumberDefinition | HistogramDefinition

const only = (value: number): Row[] => [{ labels: {}, value }]
const byKey = (label: string, values: Readonly<Record<string, number>>): Row[] =>
  Object.entries(values).map(([key, value]) => ({ labels: { [label]: key }, value }))

/** Every metric of our own; docs/metrics.md lists each. `totals` remembers what replaced workers had counted. */
export function metricDefinitions(totals: SlotTotals): MetricDefinition[] {
  return [
    {
      name: 'switchyard_info',
      help: 'Always 1; the channel over which connections go to workers',
      type: 'gauge',
      labels: ['channel'],
      read: ({ channel }) => [{ labels: { channel }, value: 1 }],
    },
    {
      name: 'switchyard_connections_accepted_total',
      help: 'Connections accepted',
      type: 'counter',
      read: ({ connections }) => only(connections.accepted),
    },
    {
      name: 'switchyard_connections_handed_off_total',
      help: 'Connections handed to a worker that claimed them',
      type: 'counter',
      read: ({ connections }) => only(connections.handedOff),
    },
    {
      name: 'switchyard_connections_refused_total',
      help: 'Connections that the primary answered itself',
      type: 'counter',
      labels: ['reason'],
      read: ({ connections }) => byKey('reason', connections.refused),
    },
    {
      name: 'switchyard_connections_closed_total',
      help: 'Connections that ended before a worker had them',
      type: 'counter',
      read: ({ connections }) => only(connections.closed),
    },
    {
      name: 'switchyard_hand_offs_taken_back_total',
      help: 'Offers taken back from a worker that died or stuck',
      type: 'counter',
      read: ({ handOffs }) => only(handOffs.takenBack),
    },
    {
      name: 'switchyard_connections_given_back_total',
      help: 'Connections that a worker gave back because their next request belongs elsewhere',
      type: 'counter',
      labels: ['route', 'reason'],
      read: ({ moves }) => moves.givenBack.map(moveRow),
    },
    {
      name: 'switchyard_requests_forwarded_total',
      help: 'Requests forwarded to another worker because their connection could not move, with the reason why it could not',
      type: 'counter',
      labels: ['route', 'reason'],
      read: ({ moves }) => moves.forwarded.map(moveRow),
    },
    {
      name: 'switchyard_descriptors',
      help: 'Connections held by the primary, by state',
      type: 'gauge',
      labels: ['state'],
      read: ({ connections }) => byKey('state', connections.waiting),
    },
    {
      name: 'switchyard_accepting',
      help: '1 while connections are accepted',
      type: 'gauge',
      read: ({ accepting }) => only(accepting ? 1 : 0),
    },
    {
      name: 'switchyard_listener',
      help: 'Always 1; an address where the primary listens',
      type: 'gauge',
      labels: ['address'],
      read: ({ addresses }) => addresses.map((address) => ({ labels: { address }, value: 1 })),
    },
    {
      name: 'switchyard_workers',
      help: 'Workers by pool and state',
      type: 'gauge',
      labels: ['pool', 'state'],
      read: ({ pools }) => pools.flatMap(workerStates),
    },
    {
      name: 'switchyard_workers_desired',
      help: 'Workers that the config asks for',
      type: 'gauge',
      labels: ['pool'],
      read: ({ pools }) => pools.map(({ name, desired }) => ({ labels: { pool: name }, value: desired })),
    },
    {
      name: 'switchyard_load_board_faults_total',
      help: 'Impossible load values of workers that were ignored',
      type: 'counter',
      labels: ['pool'],
      read: ({ pools }) => pools.map(({ name, boardFaults }) => ({ labels: { pool: name }, value: boardFaults })),
    },
    {
      name: 'switchyard_learned_visitors',
      help: "Visitors who are known by a cookie of the app's own",
      type: 'gauge',
      read: ({ visitors }) => only(visitors.kept),
    },
    {
      name: 'switchyard_learned_total',
      help: 'Visitors of whom workers have told for the first time',
      type: 'counter',
      read: ({ visitors }) => only(visitors.learned),
    },
    {
      name: 'switchyard_learned_moved_total',
      help: 'Visitors who got their cookie again from another worker, since nobody was in their slot',
      type: 'counter',
      read: ({ visitors }) => only(visitors.moved),
    },
    {
      name: 'switchyard_learned_forgotten_total',
      help: 'Visitors who are known no more, with the reason',
      type: 'counter',
      labels: ['reason'],
      read: ({ visitors: { evicted, expired } }) => byKey('reason', { evicted, expired }),
    },
    {
      name: 'switchyard_sessions',
      help: 'Sessions in the memory of the primary',
      type: 'gauge',
      read: ({ sessions }) => (sessions === null ? [] : only(sessions.kept)),
    },
    {
      name: 'switchyard_sessions_bytes',
      help: 'Bytes of their texts',
      type: 'gauge',
      read: ({ sessions }) => (sessions === null ? [] : only(sessions.bytes)),
    },
    {
      name: 'switchyard_sessions_tombstones',
      help: 'Sessions that were destroyed a short while ago, and that nobody can write',
      type: 'gauge',
      read: ({ sessions }) => (sessions === null ? [] : only(sessions.tombstones)),
    },
    {
      name: 'switchyard_sessions_forgotten_total',
      help: 'Sessions that went from the memory of the primary, with the reason',
      type: 'counter',
      labels: ['reason'],
      read: ({ sessions }) =>
        sessions === null
          ? []
          : byKey('reason', { evicted: sessions.evicted, expired: sessions.expired, 'tombstone-evicted': sessions.tombstonesDropped }),
    },
    {
      name: 'switchyard_session_store_up',
      help: '1 while the workers of this seat ask the store of sessions, 0 while they do not since it did not answer',
      type: 'gauge',
      labels: ['pool', 'slot', 'kind'],
      read: ({ pools }) => pools.flatMap(sessionStores),
    },
    perSlotTotal('switchyard_session_commands_total', 'What workers in this seat asked the store of sessions', totals, 'sessionCommands'),
    perSlotTotal('switchyard_session_commands_failed_total', 'Those of them that failed', totals, 'sessionCommandsFailed'),
    {
      name: 'switchyard_session_command_seconds_total',
      help: 'What they took together',
      type: 'counter',
      labels: ['pool', 'slot'],
      read: ({ pools }) =>
        totals.update(pools).map(({ pool, slot, sessionCommandsMs }) => ({ labels: { pool, slot }, value: sessionCommandsMs / 1000 })),
    },
    perSlotTotal(
      'switchyard_session_near_hits_total',
      'Reads of sessions that a worker answered by what it had read before',
      totals,
      'nearHits',
    ),
    perSlotTotal('switchyard_session_near_misses_total', 'Reads of sessions for which it had to ask', totals, 'nearMisses'),
    perSlot(
      'switchyard_session_near_entries',
      'Sessions that the worker keeps of what it has read',
      sumOf(({ sessions }) => sessions?.nearEntries ?? 0),
    ),
    perSlot(
      'switchyard_worker_in_flight',
      'Requests begun and not finished',
      sumOf(({ load }) => load.inFlight),
    ),
    perSlot(
      'switchyard_worker_connections',
      'Open connections of the worker',
      sumOf(({ load }) => load.connections),
    ),
    perSlot(
      'switchyard_worker_busy_seconds',
      'For how long the event loop has been in its present turn; 0 while it waits for work',
      mostOf(({ load }) => load.busyMs / 1000),
    ),
    perSlot(
      'switchyard_worker_latency_seconds',
      'Moving average of response times',
      mostOf(({ load }) => load.latencyMs / 1000),
    ),
    perSlot(
      'switchyard_worker_loop_lag_seconds',
      "How late the worker's event loop was at its last report",
      mostOf(({ load }) => load.loopLagMs / 1000),
    ),
    perSlot(
      'switchyard_worker_utilisation',
      "Share of time the worker's event loop was busy, 0 to 1",
      mostOf(({ load }) => load.utilisation),
    ),
    perSlot(
      'switchyard_worker_memory_bytes',
      'Resident memory of the worker',
      sumOf(({ load }) => load.memoryBytes),
    ),
    perSlot(
      'switchyard_worker_heap_used_bytes',
      'Memory that JavaScript uses in the worker',
      sumOf(({ details }) => details?.heapUsedBytes ?? 0),
    ),
    perSlot(
      'switchyard_worker_heap_limit_bytes',
      'How much of it the worker may use before it ends',
      sumOf(({ details }) => details?.heapLimitBytes ?? 0),
    ),
    {
      name: 'switchyard_worker_loop_delay_seconds',
      help: 'How late the event loop of the worker was in the last ten seconds: median (p50), 99th percentile (p99) and longest (max)',
      type: 'gauge',
      labels: ['pool', 'slot', 'statistic'],
      read: ({ pools }) => pools.flatMap(loopDelays),
    },
    {
      name: 'switchyard_worker_response_seconds',
      help: 'Response times of one request in eight, from its head until its answer is written out',
      type: 'histogram',
      labels: ['pool', 'slot'],
      buckets: responseBoundsMs.map((ms) => ms / 1000),
      read: ({ pools }) =>
        totals.update(pools).map(({ pool, slot, responses, responseSumMs }) => ({
          labels: { pool, slot },
          counts: responses,
          sum: responseSumMs / 1000,
        })),
    },
    perSlotTotal('switchyard_worker_requests_total', 'Requests that workers in this seat began', totals, 'begun'),
    perSlotTotal('switchyard_worker_failed_total', 'Those of them that were answered with 5xx or broken off by the app', totals, 'failed'),
    perSlotTotal('switchyard_worker_hand_offs_total', 'Connections handed to this seat', totals, 'handOffs'),
    perSlotTotal('switchyard_worker_restarts_total', 'How often this seat was filled again', totals, 'restarts'),
  ]
}

/** Gauges of prom-client that are called like counters, which Prometheus' own check refuses. Each is the sum of a metric without the suffix. */
const misnamed = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total']

/** A registry of its own: the metrics above and those of the process. */
export class Metrics {
  readonly #registry = new Registry()
  readonly #source: StatusSource
  readonly #metrics: { fill(status: BalancerStatus): void }[]
  #isAsked = false

  constructor(source: StatusSource) {
    this.#source = source
    this.#metrics = metricDefinitions(new SlotTotals()).map((definition) => register(definition, this.#registry))
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  /** All metrics of one moment, so that the sums among them hold. */
  text(): Promise<string> {
    // Not before anybody asks: they look at the event loop a hundred times a second.
    if (!this.#isAsked) this.#addProcess()
    this.#isAsked = true
    const status = this.#source.status()
    for (const metric of this.#metrics) metric.fill(status)
    return this.#registry.metrics()
  }

  #addProcess(): void {
    collectDefaultMetrics({ register: this.#registry })
    for (const name of misnamed) this.#registry.removeSingleMetric(name)
  }
}

function register(definition: MetricDefinition, registry: Registry) {
  const { name, help, type, labels = [] } = definition
  if (type === 'histogram') return new FilledHistogram(definition, registry)
  const { read } = definition
  const options = { name, help, labelNames: labels, registers: [registry] }
  const metric = type === 'gauge' ? new Gauge(options) : new Counter(options)
  return {
    fill(status: BalancerStatus) {
      // Rows of workers that are gone must not stay; the totals of counters come whole from the status.
      metric.reset()
      for (const row of read(status)) metric.inc(row.labels, row.value)
    },
  }
}

function moveRow({ route, reason, count }: MoveStatus<string>): Row {
  return { labels: { route, reason }, value: count }
}

function workerStates({ name, workers }: PoolStatus): Row[] {
  return (['starting', 'ready', 'draining'] as const).map((state) => ({
    labels: { pool: name, state },
    value: workers.filter((worker) => worker.state === state).length,
  }))
}

/** Of two that share a slot the worse is told. */
function sessionStores({ name, workers }: PoolStatus): Row[] {
  return presentSlots(workers).flatMap(([slot, present]) => {
    const reports = present.flatMap(({ sessions }) => (sessions === null ? [] : [sessions]))
    const kinds = [...new Set(reports.map(({ kind }) => kind))]
    return kinds.map((kind) => ({
      labels: { pool: name, slot, kind },
      value: reports.some((report) => report.kind === kind && report.state === 'down') ? 0 : 1,
    }))
  })
}

function loopDelays({ name, workers }: PoolStatus): Row[] {
  return presentSlots(workers).flatMap(([slot, present]) => {
    const most = (read: (delay: LoadDetails['loopDelay']) => number) =>
      Math.max(...present.map(({ details }) => (details === null ? 0 : read(details.loopDelay) / 1000)))
    return [
      { labels: { pool: name, slot, statistic: 'p50' }, value: most(({ p50Ms }) => p50Ms) },
      { labels: { pool: name, slot, statistic: 'p99' }, value: most(({ p99Ms }) => p99Ms) },
      { labels: { pool: name, slot, statistic: 'max' }, value: most(({ maxMs }) => maxMs) },
    ]
  })
}

/** Each slot with the processes that share it now. */
function presentSlots(workers: readonly WorkerStatus[]): [slot: number, present: WorkerStatus[]][] {
  const present = workers.filter(({ state }) => state !== 'gone')
  return [...new Set(present.map(({ slot }) => slot))].map((slot) => [slot, present.filter((worker) => worker.slot === slot)])
}

function perSlot(name: string, help: string, merge: (workers: readonly WorkerStatus[]) => number): MetricDefinition {
  const read: Read = ({ pools }) =>
    pools.flatMap((pool) =>
      presentSlots(pool.workers).map(([slot, present]) => ({ labels: { pool: pool.name, slot }, value: merge(present) })),
    )
  return { name, help, type: 'gauge', labels: ['pool', 'slot'], read }
}

type CountField = 'handOffs' | 'restarts' | 'begun' | 'failed' | 'sessionCommands' | 'sessionCommandsFailed' | 'nearHits' | 'nearMisses'

function perSlotTotal(name: string, help: string, totals: SlotTotals, field: CountField): MetricDefinition {
  const read: Read = ({ pools }) => totals.update(pools).map(({ pool, slot, [field]: value }) => ({ labels: { pool, slot }, value }))
  return { name, help, type: 'counter', labels: ['pool', 'slot'], read }
}

function sumOf(read: (worker: WorkerStatus) => number) {
  return (workers: readonly WorkerStatus[]): number => workers.reduce((sum, worker) => sum + read(worker), 0)
}

function mostOf(read: (worker: WorkerStatus) => number) {
  return (workers: readonly WorkerStatus[]): number => Math.max(...workers.map(read))
}
