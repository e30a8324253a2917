// npm run bench -- --scrapes: a balancer with many workers of a stub app is scraped every second, and in turn left alone. How long does a scrape take, and
// what does the traffic notice of it?

import { get } from 'node:http'
import { scrapedBy } from './contenders.ts'
import { quantile } from './quantile.ts'
import { formatMs } from './report.ts'
import { startServer } from './server.ts'
import { generate } from './trace-turn.ts'
import { inTurn } from './turn.ts'

/** Each request has its own connection, so the primary takes part in every one. */
const PER_SECOND = 100
const EVERY_MS = 1_000
const SCRAPE_MS = 10_000
/** Each worker takes CPU time to start. */
const START_MS_EACH = 5_000
const POLL_MS = 200
const FIRST_MS = 5_000

export const scrapedTurns = ['left alone', 'scraped'] as const

export interface ScrapesOptions {
  readonly workers: number
  /** A round for each, and the seed of its trace. */
  readonly seeds: readonly number[]
  readonly seconds: number
  readonly warmUpSeconds: number
}

export interface ScrapesSample {
  readonly turn: (typeof scrapedTurns)[number]
  readonly round: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** How late 99 % of the generator's requests were at most. */
  readonly lateP99Ms: number
  /** Of each scrape. */
  readonly scrapesMs: readonly number[]
  /** Of the last page; 0: none was read. */
  readonly pageBytes: number
}

/** Both turns, once for each seed, with one balancer. Rejects when a single request or scrape is not answered correctly. */
export async function measureScrapes(options: ScrapesOptions, progress: (line: string) => void): Promise<readonly ScrapesSample[]> {
  const { workers, seeds, seconds, warmUpSeconds } = options
  const server = await startServer(scrapedBy(workers), START_MS_EACH * workers)
  try {
    const { adminUrl = '' } = server
    await untilReady(adminUrl, workers)
    // The first scrapes make the workers load what measures their processes.
    await scrape(adminUrl, AbortSignal.timeout(FIRST_MS))
    const samples: ScrapesSample[] = []
    for (const [index, seed] of seeds.entries())
      for (const turn of inTurn(scrapedTurns, index + 1)) {
        const over = new AbortController()
        const scraping = turn === 'scraped' ? scrape(adminUrl, over.signal) : undefined
        // Awaited below; until then the rejection must not count as unhandled.
        scraping?.catch(() => {})
        const streams = [{ name: 'light', path: '/', perSecond: PER_SECOND }]
        const task = { seed, seconds: warmUpSeconds + seconds, warmUpSeconds, connections: 1, reconnect: true, streams, openPath: '/' }
        const { all, lateP99Ms, faults } = await generate(server.port, task).finally(() => over.abort())
        const { scrapesMs, pageBytes } = (await scraping) ?? { scrapesMs: [], pageBytes: 0 }
        const fault = Object.keys(faults)[0]
        if (fault !== undefined) throw new Error(`${turn}: ${fault}`)
        samples.push({ turn, round: index + 1, p50Ms: all.p50Ms, p99Ms: all.p99Ms, lateP99Ms, scrapesMs, pageBytes })
        const scrapes = scrapesMs.length === 0 ? '' : `  ${scrapesMs.length} scrapes, p95 ${formatMs(quantile(scrapesMs, 0.95))} ms`
        progress(`round ${index + 1}/${seeds.length}  ${turn}  p99 ${formatMs(all.p99Ms)} ms${scrapes}`)
      }
    return samples
  } finally {
    await server.stop()
  }
}

async function untilReady(adminUrl: string, workers: number): Promise<void> {
  const endMs = performance.now() + START_MS_EACH * workers
  for (;;) {
    // While all workers start, the primary gets little CPU time.
    const ready = await readyOf(adminUrl).catch(() => 0)
    if (ready === workers) return
    if (performance.now() > endMs) throw new Error(`not all of ${workers} workers became ready`)
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

async function readyOf(adminUrl: string): Promise<number> {
  const { text } = await read(`${adminUrl}/status`)
  const { pools } = JSON.parse(text) as { readonly pools: readonly { readonly ready: number }[] }
  return pools.reduce((sum, { ready }) => sum + ready, 0)
}

/** Scrapes at even intervals until `over` is aborted. */
async function scrape(adminUrl: string, over: AbortSignal): Promise<Pick<ScrapesSample, 'scrapesMs' | 'pageBytes'>> {
  const scrapesMs: number[] = []
  let pageBytes = 0
  for (let dueMs = performance.now(); !over.aborted; dueMs = Math.max(dueMs + EVERY_MS, performance.now())) {
    const waitMs = dueMs - performance.now()
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs))
    const { text, ms } = await read(`${adminUrl}/metrics`)
    scrapesMs.push(ms)
    pageBytes = text.length
  }
  return { scrapesMs, pageBytes }
}

/** The page, and how long it took to the last byte. */
function read(url: string): Promise<{ readonly text: string; readonly ms: number }> {
  const startMs = performance.now()
  return new Promise((resolve, reject) => {
    const request = get(url, { timeout: SCRAPE_MS }, (response) => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part))
      response.once('error', reject)
      response.once('end', () => {
        if (response.statusCode !== 200) return reject(new Error(`${url} was answered with ${response.statusCode}`))
        const ms = performance.now() - startMs
        resolve({ text: Buffer.concat(parts).toString(), ms })
      })
    })
    request.once('error', reject)
    request.once('timeout', () => request.destroy(new Error(`${url} was not answered within ${SCRAPE_MS} ms`)))
  })
}

/** The load, in words. */
export const scrapesLoad = (workers: number): string =>
  `${workers} workers of a stub app, each with its process metrics; ${PER_SECOND} requests a second, each on a new connection; a scrape every ${EVERY_MS / 1000} s in every other turn`
