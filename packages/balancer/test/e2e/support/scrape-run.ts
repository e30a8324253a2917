// Kills and reloads workers under load while a real Prometheus scrapes, and compares what it has stored with what the clients have counted.

import { Agent, request } from 'node:http'
import { seededRandom } from '../../../../../test/support/random.ts'
import { until } from '../../../../../test/support/until.ts'
import { expanded, queriesOf, readBoard } from '../../support/grafana-board.ts'
import { sumOf } from './metric-page.ts'
import { Prometheus } from './prometheus.ts'
import { thinkTime } from './raw-client.ts'
import { startBalancer, temporaryFolder } from './running-balancer.ts'

export interface ScrapeRunOptions {
  readonly seed: number
  readonly durationMs: number
  readonly clients: number
  readonly workers: number
  /** Between two kills or reloads. */
  readonly pauseMs: number
}

export interface ScrapeTotals {
  /** Answers that clients have read whole, and requests that broke off. */
  readonly answers: number
  readonly broken: number
  /** Requests that Prometheus has stored: all, and those with an answer. */
  readonly stored: number
  readonly storedAnswers: number
  /** What the app itself has counted. */
  readonly storedByApp: number
  readonly kills: number
  readonly reloads: number
  readonly scrapes: number
  readonly failedScrapes: number
  readonly slowestScrapeMs: number
  /** Series that count since the start, and those of them that have fallen. */
  readonly series: number
  readonly fallen: readonly string[]
  /** Titles of the Grafana board whose expressions find nothing in what Prometheus has stored. */
  readonly emptyPanels: readonly string[]
}

const COUNTED = '{__name__=~"(switchyard|app|process|nodejs)_.*(_total|_bucket|_count|_sum)",__name__!="nodejs_heap_size_total_bytes"}'
const PATHS = ['/', '/status/404', '/status/503', '/status/201']

export async function scrapeUnderLoad({ seed, durationMs, clients, workers, pauseMs }: ScrapeRunOptions): Promise<ScrapeTotals> {
  const random = seededRandom(seed)
  const balancer = await startBalancer({
    config: { app: 'metrics-app.mjs', pools: { web: { workers } }, routes: [{ path: '/status/*', pool: 'web' }] },
  })
  await balancer.untilAllReady()
  const prometheus = await Prometheus.start(balancer.adminAddress, temporaryFolder())
  const window = `${Math.ceil(durationMs / 1000) + 120}s`
  let isOver = false
  let answers = 0
  let broken = 0
  let kills = 0
  let reloads = 0
  const client = async (isKept: boolean): Promise<void> => {
    const agent = new Agent({ keepAlive: isKept, maxSockets: 1 })
    while (!isOver) {
      const path = PATHS[Math.floor(random() * PATHS.length)] as string
      if (await ask(balancer.port, path, agent)) answers++
      else broken++
      await thinkTime(random() * 20)
    }
    agent.destroy()
  }
  const load = Promise.all(Array.from({ length: clients }, (_, number) => client(number % 2 === 0)))
  const endMs = performance.now() + durationMs
  try {
    while (performance.now() < endMs) {
      await thinkTime(pauseMs)
      if ((kills + reloads) % 2 === 0) {
        const { pools } = await balancer.untilStatus(({ pools }) => (pools[0]?.ready ?? 0) > 1, 'two ready workers')
        const ready = pools[0]?.workers.filter(({ state }) => state === 'ready') ?? []
        process.kill(ready[Math.floor(random() * ready.length)]?.pid ?? 0, 'SIGKILL')
        kills++
      } else {
        process.kill(balancer.pid, 'SIGHUP')
        reloads++
        // A worker that is killed meanwhile would fail the reload, which is no matter here.
        const isEnded = async () => sumOf(await balancer.metrics(), 'switchyard_operations_total', /operation="reload"/) === reloads
        await until(isEnded, 30_000, 'the end of the reload')
      }
    }
  } finally {
    isOver = true
    await load
  }
  const page = await until(
    async () => {
      const page = await balancer.metrics()
      return sumOf(page, 'switchyard_requests_in_flight') === 0 ? page : undefined
    },
    10_000,
    'no request in flight',
  )
  const stored = sumOf(page, 'switchyard_requests_total')
  await until(async () => (await prometheus.values('sum(switchyard_requests_total)'))[0] === stored, 10_000, 'the last scrape')
  const [storedAnswers = 0] = await prometheus.values('sum(switchyard_requests_total{code=~"[2345]xx"})')
  const [storedByApp = 0] = await prometheus.values('sum(app_hits_total)')
  const [scrapes = 0] = await prometheus.values(`sum(count_over_time(up[${window}]))`)
  const [up = 0] = await prometheus.values(`sum(sum_over_time(up[${window}]))`)
  const [slowestS = 0] = await prometheus.values(`max(max_over_time(scrape_duration_seconds[${window}]))`)
  const counting = await prometheus.series(`${COUNTED}[${window}]`)
  const fallen = counting
    .filter(({ values }) => values.some((value, index) => value < (values[index - 1] ?? 0)))
    .map(({ labels, values }) => `${JSON.stringify(labels)}: ${values}`)
  const emptyPanels: string[] = []
  for (const { where, expr } of queriesOf(readBoard()))
    if ((await prometheus.values(expanded(expr, window))).length === 0) emptyPanels.push(where)
  await prometheus.stop()
  await balancer.stop()
  const failedScrapes = scrapes - up
  return {
    answers,
    broken,
    stored,
    storedAnswers,
    storedByApp,
    kills,
    reloads,
    scrapes,
    failedScrapes,
    slowestScrapeMs: slowestS * 1000,
    series: counting.length,
    fallen,
    emptyPanels,
  }
}

/** False: no whole answer came. */
function ask(port: number, path: string, agent: Agent): Promise<boolean> {
  return new Promise((resolve) => {
    const sent = request({ host: '127.0.0.1', port, path, agent }, (response) => {
      response.once('end', () => resolve(response.complete)).once('error', () => resolve(false))
      response.resume()
    })
    sent.once('error', () => resolve(false))
    sent.setTimeout(20_000, () => sent.destroy())
    sent.end()
  })
}
