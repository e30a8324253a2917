// Metrics of apps and worker processes on the page of the primary: summed, kept when a worker dies, and never waited for.

import { hasNative } from '@switchyard/handoff'
import { assert, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import type { BalancerStatus } from '../../src/status.ts'
import { fallen, seriesOn, sumOf } from './support/metric-page.ts'
import { type RunningBalancer, startBalancer, warningsOf } from './support/running-balancer.ts'

const test = suite('metrics', { timeoutMs: 60_000 })
const HITS = 'app_hits_total{method="GET",service="shop"}'

async function ask(balancer: RunningBalancer, path: string, times: number): Promise<void> {
  for (let asked = 0; asked < times; asked++) {
    await (await fetch(`http://127.0.0.1:${balancer.port}${path}`, { headers: { connection: 'close' } })).text()
  }
}

/** Resolves with the first page that meets the condition. */
function untilPage(balancer: RunningBalancer, condition: (page: string) => boolean, what: string): Promise<string> {
  return until(
    async () => {
      const page = await balancer.metrics()
      return condition(page) ? page : undefined
    },
    15_000,
    what,
  )
}

for (const channel of hasNative() ? ['native', 'portable'] : ['portable']) {
  test(`${channel}: metrics of an app are summed, and no count falls when workers are killed, hang or are replaced`, async () => {
    const balancer = await startBalancer({
      config: {
        app: 'metrics-app.mjs',
        pools: { web: { workers: 2 } },
        routes: [{ path: '/status/*', pool: 'web' }],
        hangTimeoutMs: 60_000,
      },
      env: { SWITCHYARD_CHANNEL: channel },
    })
    const status = await balancer.untilAllReady()
    const pids = status.pools[0]?.workers.map(({ pid }) => pid) ?? []
    await balancer.metrics()
    await ask(balancer, '/', 6)
    await ask(balancer, '/status/404', 2)
    await ask(balancer, '/status/503', 3)
    const isCounted = (page: string) => seriesOn(page, HITS) === 11 && sumOf(page, 'switchyard_requests_total', /code="[245]xx"/) === 11
    const first = await untilPage(
      balancer,
      (page) => isCounted(page) && seriesOn(page, 'app_own{pool="web",slot="1"}') === 1,
      'all counted',
    )
    const requests = (route: string, code: string) => seriesOn(first, `switchyard_requests_total{route="${route}",code="${code}"}`)
    assert.equal(
      [requests('(everything else)', '2xx'), requests('/status/*', '4xx'), requests('/status/*', '5xx'), requests('/status/*', '2xx')],
      [6, 2, 3, 0],
    )
    assert.is(seriesOn(first, 'switchyard_request_duration_seconds_count{route="/status/*"}'), 5)
    assert.is(seriesOn(first, 'app_seconds_bucket{le="1",service="shop"}'), 11)
    assert.is(seriesOn(first, 'app_seconds_sum{service="shop"}'), 5.5)
    assert.is(seriesOn(first, 'app_most{service="shop"}'), Math.max(...pids))
    for (const slot of [0, 1]) {
      // A label of the app with the name of one of the balancer's is renamed.
      assert.is(seriesOn(first, `app_pid{exported_pool="own",service="shop",pool="web",slot="${slot}"}`), pids[slot])
      assert.ok((seriesOn(first, `process_resident_memory_bytes{pool="web",slot="${slot}"}`) ?? 0) > 1e6)
      assert.ok(seriesOn(first, `nodejs_eventloop_lag_p99_seconds{pool="web",slot="${slot}"}`) !== undefined)
    }
    assert.ok((seriesOn(first, 'process_resident_memory_bytes') ?? 0) > 1e6)
    // A metric that fails is named once, and one that never answers holds up no other.
    assert.equal(
      warningsOf(balancer).map(({ msg }) => /app_\w+/.exec(msg)?.[0]),
      ['app_failing'],
    )

    process.kill(pids[0] as number, 'SIGKILL')
    const second = await untilPage(
      balancer,
      (page) => sumOf(page, 'switchyard_worker_exits_total', /cause="signal"/) === 1 && page.includes('app_pid{'),
      'the killed worker',
    )
    assert.equal(fallen(first, second), [])
    await balancer.untilAllReady()
    // The counts of the last second are sent at the exit.
    await ask(balancer, '/', 10)
    process.kill(balancer.pid, 'SIGHUP')
    const third = await untilPage(
      balancer,
      (page) => seriesOn(page, 'switchyard_operations_total{operation="reload",result="ok"}') === 1,
      'the reload',
    )
    assert.equal(fallen(second, third), [])
    const all = await untilPage(balancer, (page) => seriesOn(page, HITS) === 21, 'all requests').catch(() => balancer.metrics())
    assert.is(seriesOn(all, HITS), 21)
    assert.is(sumOf(all, 'switchyard_requests_total'), 21)
    assert.is(seriesOn(all, 'switchyard_worker_exits_total{pool="web",cause="reload"}'), 2)

    // A worker that hangs keeps no scrape waiting. Over the portable channel it can't even say that it has a request.
    const hung = fetch(`http://127.0.0.1:${balancer.port}/hang`, { headers: { connection: 'close' } }).catch(() => {})
    const hangs = ({ pools }: BalancerStatus) => pools[0]?.workers.find(({ load }) => load.busyMs > 100)
    const busy = hangs(await balancer.untilStatus((status) => hangs(status) !== undefined, 'a worker that hangs'))
    const fourth = await balancer.metrics()
    assert.equal(fallen(all, fourth), [])
    if (channel === 'native') assert.is(sumOf(fourth, 'switchyard_requests_in_flight'), 1)
    process.kill(busy?.pid ?? 0, 'SIGKILL')
    await hung
    if (channel === 'native')
      await untilPage(balancer, (page) => sumOf(page, 'switchyard_requests_total', /code="aborted"/) === 1, 'the aborted request')
    assert.is(await balancer.stop(), 0)
  })
}

test.run()
