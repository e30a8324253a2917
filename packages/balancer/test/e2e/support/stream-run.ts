// Streams of one HTTP/2 connection that go to two pools and to eight sticky sessions in turn. Each sends a body and gets it back.

import { createHash, randomBytes } from 'node:crypto'
import { openDescriptors } from '../../../../../test/support/descriptors.ts'
import { seededRandom } from '../../../../../test/support/random.ts'
import { until } from '../../../../../test/support/until.ts'
import { makeCertificate } from '../../support/certificate-maker.ts'
import { Http2Client } from './http2-client.ts'
import { portOf, type RunningBalancer, startBalancer, temporaryFolder } from './running-balancer.ts'

export interface StreamRunOptions {
  readonly streams: number
  readonly seed: number
}

export interface StreamRunOutcome {
  readonly right: number
  /** What was wrong, and how often. */
  readonly faults: Readonly<Record<string, number>>
  /** Distinct workers that answered. */
  readonly workers: number
  readonly megabytes: number
  readonly seconds: number
  /** Of the primary and its workers together. */
  readonly descriptors: { readonly before: number; readonly after: number }
}

/** Streams under way at the same time. */
const PARALLEL = 20
const SESSIONS = 8
const MAX_BODY = 20_000
/** One body in this many is larger than the window of a stream. */
const LARGE_EVERY = 200
const LARGE_BODY = 300_000
const WARM_UP = 100
/** Connections between workers that are kept for the next forward end after this long without one. */
const SETTLE_MS = 60_000

export async function streamRun({ streams, seed }: StreamRunOptions): Promise<StreamRunOutcome> {
  const folder = temporaryFolder()
  const balancer = await startBalancer({
    config: {
      app: 'http2-app.mjs',
      pools: { web: { workers: 2 }, api: { workers: 1 } },
      routes: [
        { path: '/api/*', pool: 'api' },
        { path: '/sticky/*', pool: 'web', policy: { sticky: { by: { header: 'x-visitor' }, breakAt: 1000 } } },
        { path: '/*', pool: 'web' },
      ],
      listen: { host: '127.0.0.1', port: 0, tls: makeCertificate(folder, 'site', { names: ['localhost'] }), http2: true },
    },
  })
  await balancer.untilAllReady()
  const url = `https://127.0.0.1:${portOf(balancer.addresses[0] as string)}`
  const bytes = randomBytes(LARGE_BODY)
  await exchange(url, WARM_UP, seed, bytes)
  const before = await descriptorsOf(balancer)
  const began = performance.now()
  const { homes, ...sums } = await exchange(url, streams, seed, bytes)
  const seconds = (performance.now() - began) / 1000
  let after = 0
  await until(
    async () => {
      after = await descriptorsOf(balancer)
      return after <= before
    },
    SETTLE_MS,
    'descriptors',
  ).catch(() => {})
  await balancer.stop()
  return { ...sums, workers: new Set(homes.values()).size, seconds, descriptors: { before, after } }
}

async function descriptorsOf(balancer: RunningBalancer): Promise<number> {
  const { pools } = await balancer.status()
  const pids = pools.flatMap(({ workers }) => workers.map(({ pid }) => pid))
  return [balancer.pid, ...pids].reduce((sum, pid) => sum + openDescriptors(pid), 0)
}

async function exchange(url: string, streams: number, seed: number, bytes: Buffer) {
  const random = seededRandom(seed)
  const client = new Http2Client(url)
  const homes = new Map<string, string>()
  const faults: Record<string, number> = {}
  let [begun, right, sent] = [0, 0, 0]
  async function loop(): Promise<void> {
    while (begun < streams) {
      const index = begun++
      const visitor = index % 2 === 0 ? 'api' : `visitor-${(index >> 1) % SESSIONS}`
      const length = index % LARGE_EVERY === 0 ? LARGE_BODY : Math.floor(random() * MAX_BODY)
      const from = Math.floor(random() * (LARGE_BODY - length))
      const body = bytes.subarray(from, from + length)
      const path = visitor === 'api' ? '/api/echo' : '/sticky/echo'
      const { status, rstCode, headers, sha256 } = await client.post(path, body, { 'x-visitor': visitor })
      const worker = String(headers['x-worker'])
      const home = visitor === 'api' ? 'api/0' : (homes.get(visitor) ?? worker)
      homes.set(visitor, home)
      sent += length
      if (status !== 200 || rstCode !== 0) fault(`status ${status}, reset with ${rstCode}`)
      else if (worker !== home) fault(`${visitor} was at ${home}, and then at ${worker}`)
      else if (sha256 !== createHash('sha256').update(body).digest('hex')) fault('another body')
      else right++
    }
  }
  const fault = (text: string): void => {
    faults[text] = (faults[text] ?? 0) + 1
  }
  await Promise.all(Array.from({ length: PARALLEL }, loop))
  for (const text of client.faults) fault(text)
  client.close()
  return { right, faults, homes, megabytes: Math.round(sent / 1e6) }
}
