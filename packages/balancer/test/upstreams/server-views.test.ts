// How upstream servers appear in the status, `balancer status`, `balancer top` and the dashboard.

import type { ServerReport, UpstreamTarget } from '@switchyard/worker-runtime'
import { assert, suite } from '../../../../test/suite.ts'
import { describeStatus } from '../../src/cli/commands/show-status.ts'
import { History } from '../../src/cli/top/history.ts'
import { rowsOf } from '../../src/cli/top/rows.ts'
import { FIRST_VIEW, onKey } from '../../src/cli/top/view.ts'
import { Views } from '../../src/dashboard/view.ts'
import type { PoolStatus } from '../../src/status.ts'
import { troublesOf } from '../../src/troubles.ts'
import { ServerCounts } from '../../src/upstreams/server-counts.ts'
import { serverStatuses } from '../../src/upstreams/server-statuses.ts'
import { counted, status } from '../cli/top/top-status.ts'

const test = suite('upstream servers on screens')

const target = (slot: number, changes: Partial<UpstreamTarget> = {}): UpstreamTarget => ({
  ...{ slot, generation: 0, protocol: 'http', name: `http://s${slot}`, host: `s${slot}`, port: 80, path: undefined },
  ...{ address: undefined, weight: 1, isHeld: false, ...changes },
})
const report = (slot: number, changes: Partial<ServerReport> = {}): ServerReport => ({
  ...{ slot, generation: 0, state: 'up', inFlight: 0, connections: 0, latencyMs: 0, requests: 0, failures: 0, lastFailure: undefined },
  ...changes,
})
const proxy = (...servers: ServerReport[]) => ({ state: 'ready', upstream: { version: 1, waiting: 0, servers, failures: [] } }) as const

type Proxy = ReturnType<typeof proxy>

/** The status when these are the first reports of the workers. */
function statuses(targets: readonly UpstreamTarget[], proxies: readonly Proxy[]): NonNullable<PoolStatus['servers']> {
  const counts = new ServerCounts({ pool: 'legacy', nameOf: () => undefined })
  for (const { upstream } of proxies) counts.add(undefined, upstream)
  return serverStatuses(targets, proxies, counts)
}

/** Two proxy workers and five servers, each in a state of its own. `requests`: of the first server. */
function servers(requests = 30): NonNullable<PoolStatus['servers']> {
  return statuses(
    [target(0, { address: '10.0.0.7' }), target(1, { isHeld: true }), target(2), target(3, { isHeld: true })],
    [
      proxy(
        report(0, { requests: requests - 10, latencyMs: 3, inFlight: 2, connections: 4 }),
        report(1, { state: 'draining' }),
        report(2, { state: 'ejected', failures: 3, lastFailure: 'connect-failed' }),
        report(3, { state: 'draining', inFlight: 1 }),
        report(9, { state: 'draining', inFlight: 1 }),
        report(8, { state: 'draining' }),
      ),
      proxy(report(0, { requests: 10, latencyMs: 6 }), report(2, { state: 'down' })),
    ],
  )
}

const legacy = (requests?: number) => status([counted(0), counted(1)], { name: 'legacy', servers: servers(requests) })

test('the status is the sum of what the proxy workers report, and the state what the primary and they have decided', () => {
  const [first, ...others] = servers()
  assert.ok(first)
  const { proxies, up, inFlight, connections, latencyMs, requests, state } = first
  assert.equal([proxies, up, inFlight, connections, latencyMs, requests, state], [2, 2, 2, 4, 4, 30, 'ready'])
  assert.equal(
    others.map((server) => [server.slot, server.state, server.name]),
    [
      [1, 'held', 'http://s1'],
      [2, 'down', 'http://s2'],
      [3, 'draining', 'http://s3'],
      [9, 'draining', null],
    ],
  )
})

test('a server without a report is ready: its proxy workers start', () => {
  assert.equal(
    statuses([target(0)], []).map(({ state, proxies }) => [state, proxies]),
    [['ready', 0]],
  )
})

test('troubles name servers that get no requests', () => {
  assert.equal(
    troublesOf(legacy()).map(({ severity, subject, reason }) => `${severity}: ${subject} ${reason}`),
    [
      'failing: legacy/2 gets no requests, because it fails its probes.',
      "watch: legacy/1 was taken out of service: 'balancer restart legacy/1' brings it back.",
      'watch: legacy/3 is draining.',
      'watch: legacy/9 was removed, and finishes its requests.',
    ],
  )
  const one = (changes: Partial<UpstreamTarget>, changed: Partial<ServerReport>) =>
    troublesOf(status([counted(0)], { name: 'legacy', servers: statuses([target(0, changes)], [proxy(report(0, changed))]) })).map(
      ({ severity, reason }) => `${severity}: ${reason}`,
    )
  assert.is(one({ isHeld: true }, { state: 'draining' })[0], 'down: has no upstream server in service.')
  assert.is(one({}, { state: 'ejected' })[0], 'down: has no upstream server that answers.')
  assert.equal(one({}, {}), [])
})

test('balancer status has a table of servers, and names the workers as proxies', () => {
  const text = describeStatus(legacy())
  assert.match(text, /^SERVER +UPSTREAM +STATE/m)
  assert.match(text, /^legacy\/0 +http:\/\/s0 \(10\.0\.0\.7\) +ready +2 +4 +4\.0 ms +30 +0$/m)
  assert.match(text, /^legacy\/1 +http:\/\/s1 +out of service/m)
  assert.match(text, /^legacy\/9 +removed +draining/m)
  assert.match(text, /^legacy\/proxy\/1 +ready/m)
})

test('balancer top lists servers before proxy workers, and acts on both', () => {
  const history = new History()
  history.record(legacy(30), 1_000)
  history.record(legacy(50), 2_000)
  const rows = rowsOf(history, { table: 'workers', sort: 'name', isReversed: false, filter: '' })
  assert.equal(
    rows.map(({ name, state }) => `${name} ${state}`),
    [
      'legacy/0 ready',
      'legacy/1 held',
      'legacy/2 down',
      'legacy/3 draining',
      'legacy/9 draining',
      'legacy/proxy/0 ready',
      'legacy/proxy/1 ready',
    ],
  )
  assert.equal([rows[0]?.values?.rate, rows[0]?.values?.queue], [20, 2])
  const wanted = (row: number, character: string) =>
    onKey({ ...FIRST_VIEW, selected: rows[row]?.key }, { character }, rows, () => 2).view.wanted
  assert.equal(wanted(1, 'r'), { name: 'restart', body: { pool: 'legacy', slot: 1 }, what: 'Put legacy/1 in service' })
  assert.equal(wanted(5, 'd')?.body, { pool: 'legacy', slot: 0, proxy: true })
})

test('the dashboard gets rates of servers', () => {
  const views = new Views()
  const lists = { decisions: null, badHeads: null, advice: null }
  views.make(legacy(30), lists, 1_000)
  const [pool] = views.make(legacy(50), lists, 3_000).pools
  assert.equal(
    pool?.servers?.slice(0, 2).map(({ name, perSecond, state }) => [name, perSecond, state]),
    [
      ['http://s0 (10.0.0.7)', 10, 'ready'],
      ['http://s1', 0, 'held'],
    ],
  )
})

test.run()
