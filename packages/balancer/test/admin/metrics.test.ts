// The metrics of the admin page, around a fixed status.

import { spawnSync } from 'node:child_process'
import { responseBoundsMs } from '@switchyard/handoff'
import { idleLoad } from '@switchyard/routing'
import * as assert from 'uvu/assert'
import { atSuiteEnd, suite } from '../../../../test/suite.ts'
import { patience } from '../../../../test/support/patience.ts'
import { startAdmin } from '../../src/admin/admin-server.ts'
import { SlotTotals } from '../../src/admin/slot-totals.ts'
import { MetricStore } from '../../src/counts/metric-store.ts'
import { calmPool, statusOf, workerOf } from '../support/fake-balancer.ts'
import { metricFaults } from '../support/metric-rules.ts'
import { adminOf, get } from './opened-admin.ts'

const test = suite('metrics page')

test('metrics have the values of the status', async () => {
  const { url } = await adminOf({
    connections: {
      accepted: 100,
      givenBack: 7,
      handedOff: 80,
      answered: 9,
      closed: 3,
      waiting: { head: 4, resting: 8, queue: 5, offered: 6 },
      refused: { ...statusOf().connections.refused, 'queue-full': 2 },
    },
    moves: {
      givenBack: [{ route: '/a', reason: 'pool', count: 7 }],
      forwarded: [{ route: '/b', reason: 'pipelined', count: 2 }],
    },
    sessions: { kept: 3, bytes: 400, tombstones: 2, evicted: 6, expired: 7, tombstonesDropped: 1 },
    visitors: { kept: 11, learned: 20, moved: 1, evicted: 4, expired: 5 },
    pools: [
      {
        ...calmPool,
        name: 'web',
        ready: 1,
        desired: 2,
        boardFaults: 4,
        workers: [
          workerOf(0, {
            restarts: 3,
            handOffs: 80,
            begun: 90,
            failed: 2,
            sessions: {
              kind: 'redis',
              state: 'down',
              commands: 9,
              failed: 1,
              sumMs: 4_500,
              nearEntries: 5,
              nearHits: 8,
              nearMisses: 4,
            },
            details: {
              heapUsedBytes: 5,
              heapLimitBytes: 6,
              loopDelay: { p50Ms: 1, p99Ms: 20, maxMs: 300 },
              responses: { counts: [...responseBoundsMs.map((_, index) => (index === 1 ? 3 : 0)), 2], sumMs: 20_500 },
            },
            load: {
              ...idleLoad,
              busyMs: 1500,
              inFlight: 7,
              connections: 9,
              loopLagMs: 250,
              utilisation: 0.5,
              latencyMs: 1,
              memoryBytes: 1000,
            },
          }),
          workerOf(1, { state: 'starting' }),
        ],
      },
    ],
  })
  const { text, headers } = await get(`${url}/metrics`)
  assert.match(headers.get('content-type') ?? '', 'text/plain')
  for (const line of [
    '# TYPE switchyard_connections_accepted_total counter',
    'switchyard_connections_accepted_total 100',
    'switchyard_connections_handed_off_total 80',
    'switchyard_connections_refused_total{reason="queue-full"} 2',
    'switchyard_connections_refused_total{reason="head-timeout"} 0',
    'switchyard_connections_answered_total 9',
    'switchyard_connections_closed_total 3',
    'switchyard_connections_given_back_total{route="/a",reason="pool"} 7',
    'switchyard_requests_forwarded_total{route="/b",reason="pipelined"} 2',
    'switchyard_sessions 3',
    'switchyard_sessions_bytes 400',
    'switchyard_sessions_tombstones 2',
    'switchyard_sessions_forgotten_total{reason="evicted"} 6',
    'switchyard_sessions_forgotten_total{reason="expired"} 7',
    'switchyard_sessions_forgotten_total{reason="tombstone-evicted"} 1',
    'switchyard_session_store_up{pool="web",slot="0",kind="redis"} 0',
    'switchyard_session_commands_total{pool="web",slot="0"} 9',
    'switchyard_session_commands_failed_total{pool="web",slot="0"} 1',
    'switchyard_session_command_seconds_total{pool="web",slot="0"} 4.5',
    'switchyard_session_near_hits_total{pool="web",slot="0"} 8',
    'switchyard_session_near_misses_total{pool="web",slot="0"} 4',
    'switchyard_session_near_entries{pool="web",slot="0"} 5',
    'switchyard_learned_visitors 11',
    'switchyard_learned_total 20',
    'switchyard_learned_moved_total 1',
    'switchyard_learned_forgotten_total{reason="evicted"} 4',
    'switchyard_learned_forgotten_total{reason="expired"} 5',
    '# TYPE switchyard_descriptors gauge',
    'switchyard_descriptors{state="head"} 4',
    'switchyard_descriptors{state="resting"} 8',
    'switchyard_descriptors{state="queue"} 5',
    'switchyard_descriptors{state="offered"} 6',
    'switchyard_workers{pool="web",state="ready"} 1',
    'switchyard_workers{pool="web",state="starting"} 1',
    'switchyard_workers{pool="web",state="draining"} 0',
    'switchyard_worker_in_flight{pool="web",slot="0"} 7',
    'switchyard_worker_connections{pool="web",slot="0"} 9',
    'switchyard_load_board_faults_total{pool="web"} 4',
    'switchyard_worker_busy_seconds{pool="web",slot="0"} 1.5',
    'switchyard_worker_loop_lag_seconds{pool="web",slot="0"} 0.25',
    'switchyard_worker_utilisation{pool="web",slot="0"} 0.5',
    'switchyard_worker_memory_bytes{pool="web",slot="0"} 1000',
    '# TYPE switchyard_worker_hand_offs_total counter',
    'switchyard_worker_hand_offs_total{pool="web",slot="0"} 80',
    'switchyard_worker_restarts_total{pool="web",slot="0"} 3',
    'switchyard_worker_requests_total{pool="web",slot="0"} 90',
    'switchyard_worker_failed_total{pool="web",slot="0"} 2',
    'switchyard_worker_heap_used_bytes{pool="web",slot="0"} 5',
    'switchyard_worker_heap_limit_bytes{pool="web",slot="0"} 6',
    'switchyard_worker_loop_delay_seconds{pool="web",slot="0",statistic="p50"} 0.001',
    'switchyard_worker_loop_delay_seconds{pool="web",slot="0",statistic="p99"} 0.02',
    'switchyard_worker_loop_delay_seconds{pool="web",slot="0",statistic="max"} 0.3',
    '# TYPE switchyard_worker_response_seconds histogram',
    'switchyard_worker_response_seconds_bucket{le="0.001",pool="web",slot="0"} 0',
    'switchyard_worker_response_seconds_bucket{le="0.0025",pool="web",slot="0"} 3',
    'switchyard_worker_response_seconds_bucket{le="10",pool="web",slot="0"} 3',
    'switchyard_worker_response_seconds_bucket{le="+Inf",pool="web",slot="0"} 5',
    'switchyard_worker_response_seconds_sum{pool="web",slot="0"} 20.5',
    'switchyard_worker_response_seconds_count{pool="web",slot="0"} 5',
  ]) {
    assert.ok(text.split('\n').includes(line), `${line}\nis not in\n${text}`)
  }
  assert.match(text, 'process_cpu_seconds_total')
  assert.equal(metricFaults(text), [])
  const { status, stdout, stderr, error } = spawnSync('promtool', ['check', 'metrics'], {
    input: text,
    encoding: 'utf8',
    timeout: patience(20_000),
  })
  assert.equal([error, status, stdout, stderr], [undefined, 0, '', ''])
})

test('a scraper that asks for OpenMetrics gets it, with exemplars', async () => {
  const store = new MetricStore(() => [])
  const source = { id: 1, pool: 'web', slot: 0, routeNames: ['/a'], send() {} }
  store.exemplars.add(source.routeNames, [{ row: 0, bucket: 1, labels: 'trace_id="4bf9"', value: 0.002, timestampS: 5 }])
  const samples = [{ suffix: '', labels: '', value: 2 }]
  store.receive(source, [{ name: 'app_plain', kind: 'counter', help: 'say "a"', isOfProcess: false, samples }], [])
  const counts = responseBoundsMs.map((_, index) => (index === 1 ? 3 : 0)).concat(0)
  const results = { '2xx': 3, '3xx': 0, '4xx': 0, '5xx': 0, upgrade: 0, aborted: 1 }
  const status = () => statusOf({ routes: [{ route: '/a', pool: 'web', inFlight: 2, results, durations: { counts, sumMs: 6 } }] })
  const admin = await startAdmin({ host: '127.0.0.1', port: 0, explicit: true, names: [] }, { status, metrics: store })
  atSuiteEnd(() => admin.close())
  const response = await fetch(`${admin.url}/metrics`, {
    headers: { connection: 'close', accept: 'application/openmetrics-text; version=1.0.0' },
  })
  assert.match(response.headers.get('content-type') ?? '', 'application/openmetrics-text')
  const text = await response.text()
  for (const line of [
    '# TYPE switchyard_requests counter',
    'switchyard_requests_total{route="/a",code="2xx"} 3',
    'switchyard_requests_total{route="/a",code="aborted"} 1',
    'switchyard_requests_in_flight{route="/a"} 2',
    'switchyard_request_duration_seconds_bucket{le="0.001",route="/a"} 0',
    'switchyard_request_duration_seconds_bucket{le="0.0025",route="/a"} 3 # {trace_id="4bf9"} 0.002 5',
    'switchyard_request_duration_seconds_sum{route="/a"} 0.006',
    // Without the suffix it would get another name than in the text format.
    '# TYPE app_plain unknown',
    'app_plain 2',
  ])
    assert.ok(text.split('\n').includes(line), `${line}\nis not in\n${text}`)
  assert.ok(text.endsWith('\n# EOF\n'))
  const { text: plain } = await get(`${admin.url}/metrics`)
  assert.not.match(plain, 'trace_id')
  assert.ok(plain.includes('# TYPE app_plain counter\napp_plain 2\n'))
})

const misnamed: [line: string, fault: string][] = [
  ['# HELP a_total x\n# TYPE a_total gauge\na_total 1', 'a_total: only a counter ends in _total'],
  ['# HELP a x\n# TYPE a counter\na 1', 'a: a counter ends in _total'],
  ['# TYPE a gauge\na 1', 'a: no help'],
  ['# HELP a x\na 1', 'a: no type'],
  ['# HELP a x\n# TYPE a gauge\na{quantile="1"} 1', 'a: only a summary has the label quantile'],
  ['# HELP a x\n# TYPE a gauge\na{b="1",le="1"} 1', 'a: only a histogram has the label le'],
  ['# HELP a_count x\n# TYPE a_count gauge\na_count 1', 'a_count: only a histogram or a summary ends in _count'],
  ['# HELP a_milliseconds x\n# TYPE a_milliseconds gauge\na_milliseconds 1', 'a_milliseconds: not a base unit'],
  ['# HELP a_ms x\n# TYPE a_ms gauge\na_ms 1', 'a_ms: an abbreviated unit'],
  ['# HELP aB x\n# TYPE aB gauge\naB 1', 'aB: not in snake case'],
  ['# HELP a_gauge x\n# TYPE a_gauge gauge\na_gauge 1', 'a_gauge: its type is in its name'],
]
for (const [line, fault] of misnamed) test(`a naming rule of Prometheus: ${fault}`, () => assert.equal(metricFaults(line), [fault]))

test('a second scrape counts nothing twice, and exited workers have no gauges any more', async () => {
  const pools = [{ ...calmPool, name: 'web', ready: 2, desired: 2, boardFaults: 0, workers: [workerOf(0, { handOffs: 5 }), workerOf(1)] }]
  const { url } = await adminOf({ pools })
  await get(`${url}/metrics`)
  pools[0]?.workers.pop()
  const { text } = await get(`${url}/metrics`)
  assert.match(text, '\nswitchyard_worker_hand_offs_total{pool="web",slot="0"} 5\n')
  assert.match(text, 'switchyard_worker_in_flight{pool="web",slot="0"}')
  assert.not.match(text, 'switchyard_worker_in_flight{pool="web",slot="1"}')
  assert.match(text, 'switchyard_worker_hand_offs_total{pool="web",slot="1"}', 'a counter stays')
})

test('totals of a slot never fall when its worker is replaced', () => {
  const totals = new SlotTotals()
  const workerSlot = (...workers: ReturnType<typeof workerOf>[]) =>
    totals.update([{ ...calmPool, name: 'web', ready: 1, desired: 1, boardFaults: 0, workers }])[0]?.handOffs
  assert.is(workerSlot(workerOf(0, { pid: 1, handOffs: 10 })), 10)
  assert.is(workerSlot(workerOf(0, { pid: 1, handOffs: 12 }), workerOf(0, { pid: 2, generation: 1, handOffs: 0 })), 12, 'both in the slot')
  assert.is(workerSlot(workerOf(0, { pid: 2, generation: 1, handOffs: 4 })), 16, 'the first has exited')
  assert.is(workerSlot(), 16, 'an empty slot')
  assert.is(workerSlot(workerOf(0, { pid: 3, generation: 1, handOffs: 1 })), 17)
  assert.is(workerSlot(workerOf(0, { pid: 3, generation: 1, handOffs: 1 })), 17)
})

test('response times of a slot never fall when its worker is replaced', () => {
  const totals = new SlotTotals()
  const details = (count: number) => ({
    heapUsedBytes: 0,
    heapLimitBytes: 0,
    loopDelay: { p50Ms: 0, p99Ms: 0, maxMs: 0 },
    responses: { counts: responseBoundsMs.map(() => count).concat(count), sumMs: count * 10 },
  })
  const workerSlot = (...workers: ReturnType<typeof workerOf>[]) => {
    const [total] = totals.update([{ ...calmPool, name: 'web', ready: 1, desired: 1, boardFaults: 0, workers }])
    return [total?.responses[0], total?.responses.at(-1), total?.responseSumMs, total?.begun, total?.failed]
  }
  assert.equal(workerSlot(workerOf(0, { pid: 1 })), [0, 0, 0, 0, 0], 'nothing reported yet')
  assert.equal(workerSlot(workerOf(0, { pid: 1, begun: 8, failed: 1, details: details(2) })), [2, 2, 20, 8, 1])
  assert.equal(workerSlot(workerOf(0, { pid: 2 })), [2, 2, 20, 8, 1])
  assert.equal(workerSlot(workerOf(0, { pid: 2, begun: 1, details: details(1) })), [3, 3, 30, 9, 1])
})

test.run()
