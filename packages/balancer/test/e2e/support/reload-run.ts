// Replaces workers by one reload or upgrade after the other, while clients of many kinds send requests without a pause. No client may see a
// failure.

import { readFileSync } from 'node:fs'
import type { Browser } from 'playwright-core'
import { openBrowser } from '../../../../../test/support/browser.ts'
import { seededRandom } from '../../../../../test/support/random.ts'
import { clickInPage, fetchInPage } from './browser-load.ts'
import { runAb, runWrk } from './command-load.ts'
import { type ConnectionKind, type LoadRun, runHttpClient } from './http-load.ts'
import { thinkTime } from './raw-client.ts'
import { ReloadedBalancer } from './reloaded-balancer.ts'
import { type RunningBalancer, warningsOf } from './running-balancer.ts'
import { chat, converse, transportsOfAll } from './socket-load.ts'
import { Tally } from './tally.ts'

export interface ReloadRunOptions {
  readonly seed: number
  readonly workers: number
  readonly maxSurge: number
  readonly settleMs?: number
  /** What replaces the workers. Left out: a reload. */
  readonly how?: 'reload' | 'upgrade' | undefined
  /** The run ends after this many answers over HTTP and this many reloads. */
  readonly requests: number
  readonly reloads: number
  /** The footprint is measured first after this many reloads, when memory has stopped growing. */
  readonly warmUpReloads: number
  /** HTTP/1 clients of each kind. */
  readonly visitors: Readonly<Record<ConnectionKind, number>>
  /** Longest pause of such a client between two requests. Default none. */
  readonly pauseMs?: number
  /** socket.io clients for each set of transports. */
  readonly chats: number
  readonly webSockets: number
  readonly browser: boolean
  /** With wrk and ab. */
  readonly commands: boolean
  /** How often the heap is read to find its least size, because of garbage. Default once. */
  readonly heapSamples?: number
  readonly env?: Readonly<Record<string, string>>
  /** Called with a line for each reload and each fault. */
  readonly progress?: (line: string) => void
}

export interface ReloadTotals {
  readonly reloads: number
  readonly requests: number
  readonly seconds: number
  readonly counts: Readonly<Record<string, number>>
  readonly faults: readonly string[]
  /** Footprint of the primary without clients, after `warmUpReloads` and at the end. */
  readonly before: Footprint
  readonly after: Footprint
}

export interface Footprint {
  readonly descriptors: number
  readonly heapBytes: number
  readonly residentBytes: number
}

const STATUS_EVERY_MS = 1_000
const SOME = 10_000
/** Each of these counts is one request and its answer. Messages of websockets and socket.io are counted apart. */
const HTTP_KINDS = [
  ...['raw kept', 'raw new', 'raw 1.0', 'raw idle', 'wrk kept', 'wrk new', 'ab kept', 'ab new'],
  ...['Chromium fetches', 'Chromium pages'],
]

/** Runs to the end. Rejects when a reload fails or the counts of connections do not add up. Failures that clients saw are in the totals. */
export async function reloadUnderLoad(options: ReloadRunOptions): Promise<ReloadTotals> {
  const { workers, maxSurge, settleMs, how, env = {}, seed, progress = () => {} } = options
  const target = await ReloadedBalancer.start({ workers, maxSurge, settleMs, how, env })
  const tally = new Tally((what) => progress(`FAULT ${what}`))
  const random = seededRandom(seed)
  const begun = performance.now()
  const few = { ...options, requests: Math.ceil(options.requests / 20), reloads: options.warmUpReloads }
  const browser = options.browser ? await openBrowser() : undefined
  let before: Footprint
  try {
    await loadAndReload(target, few, browser, tally, random, progress)
    before = await footprint(target.balancer, options)
    await loadAndReload(target, options, browser, tally, random, progress)
  } finally {
    await browser?.close()
  }
  const after = await footprint(target.balancer, options)
  const code = await target.stop()
  if (code !== 0) tally.fault('exit code', `${code}`)
  for (const { msg } of warningsOf(target.balancer)) tally.fault('in the log', msg)
  const seconds = (performance.now() - begun) / 1000
  return { reloads: target.done, requests: tally.sumOf(HTTP_KINDS), seconds, counts: tally.all, faults: tally.faults, before, after }
}

async function loadAndReload(
  target: ReloadedBalancer,
  options: ReloadRunOptions,
  browser: Browser | undefined,
  tally: Tally,
  random: () => number,
  progress: (line: string) => void,
): Promise<void> {
  const { visitors, chats, webSockets, requests, reloads, pauseMs = 0 } = options
  let over = false
  const run: LoadRun = { target, random, tally, pauseMs, isOver: () => over }
  const times = (count: number, client: () => Promise<void>): Promise<void>[] => Array.from({ length: count }, client)
  const clients = [
    ...Object.entries(visitors).flatMap(([kind, count]) => times(count, () => runHttpClient(run, kind as ConnectionKind))),
    ...transportsOfAll.flatMap((transports) => times(chats, () => chat(run, transports))),
    ...times(webSockets, () => converse(run)),
    ...(browser === undefined ? [] : [fetchInPage(run, browser), clickInPage(run, browser)]),
    ...(options.commands
      ? [runWrk(run, 'kept', 64), runWrk(run, 'new', 16), runAb(run, 'kept', SOME, 8), runAb(run, 'new', SOME / 4, 4)]
      : []),
  ]
  // Counts start anew in each primary.
  const watch = options.how === 'upgrade' ? undefined : watchAccounts(target.balancer, () => over)
  try {
    for (let done = 0; done < reloads || tally.sumOf(HTTP_KINDS) < requests; done++) {
      const begun = performance.now()
      await target.reload()
      const seconds = ((performance.now() - begun) / 1000).toFixed(1)
      progress(`${options.how ?? 'reload'} ${target.done} in ${seconds} s; ${tally.sumOf(HTTP_KINDS)} requests, ${tally.faultCount} faults`)
    }
  } finally {
    over = true
    await Promise.all(clients)
    for (const context of browser?.contexts() ?? []) await context.close()
    await watch
  }
}

/** Checks the counts all the time: `status()` rejects when accepted connections are not all handed off, refused, closed or waiting. */
async function watchAccounts(balancer: RunningBalancer, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    await balancer.status()
    await thinkTime(STATUS_EVERY_MS)
  }
}

/** The footprint when no connection is left. */
async function footprint(balancer: RunningBalancer, { heapSamples = 1 }: ReloadRunOptions): Promise<Footprint> {
  await balancer.untilAllReady(60_000)
  await balancer.untilStatus(
    ({ connections: { waiting } }) => Object.values(waiting).every((count) => count === 0),
    'no waiting connection',
    60_000,
  )
  let heapBytes = Number.POSITIVE_INFINITY
  for (let sample = 0; sample < heapSamples; sample++) {
    const text = await balancer.metrics()
    const bytes = ['nodejs_heap_size_used_bytes', 'nodejs_external_memory_bytes'].map((name) =>
      Number(new RegExp(`^${name} (\\S+)`, 'm').exec(text)?.[1]),
    )
    heapBytes = Math.min(
      heapBytes,
      bytes.reduce((sum, one) => sum + one),
    )
  }
  const resident = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${balancer.pid}/status`, 'utf8'))?.[1]
  return { descriptors: balancer.descriptors, heapBytes, residentBytes: Number(resident) * 1024 }
}
