// Kept-alive connections whose requests belong to different workers. expect-app.mjs answers 500 when a request reaches another worker than its
// URL names.

import { createHash } from 'node:crypto'
import type { RestMode } from '@switchyard/worker-runtime'
import type { Browser } from 'playwright-core'
import { seededRandom } from '../../../../../test/support/random.ts'
import type { BalancerStatus } from '../../../src/status.ts'
import { exchange, get, RawClient, type Target } from './raw-client.ts'
import { type RunningBalancer, type StartOptions, startBalancer } from './running-balancer.ts'

export const SESSIONS = Array.from({ length: 8 }, (_, index) => `s${index}`)

/** Starts two pools with a sticky route that never breaks for load. */
export async function startSteered(
  options: Pick<StartOptions, 'env'> & { light?: number; heavy?: number; app?: string; rest?: RestMode } = {},
): Promise<RunningBalancer> {
  // `never`: on a slow machine requests would count as heavy, and connections would rest.
  const { light = 3, heavy = 1, app = 'expect-app.mjs', env = {}, rest = 'never' } = options
  const balancer = await startBalancer({
    config: {
      app,
      pools: { light: { workers: light, rest }, heavy: { workers: heavy, rest } },
      routes: [
        { path: '/heavy/*', pool: 'heavy' },
        { path: '/session/*', policy: { sticky: { by: { query: 'session' }, breakAt: 1000 } } },
      ],
    },
    env,
  })
  await balancer.untilAllReady()
  return balancer
}

/** The worker of each session, such as `light/2`. */
export async function homesOf(target: Target, sessions: readonly string[] = SESSIONS): Promise<Map<string, string>> {
  const homes = new Map<string, string>()
  for (const session of sessions) {
    const { headers } = await exchange(target, get(`/session/a?session=${session}`))
    homes.set(session, headers.get('x-worker')?.[0] as string)
  }
  return homes
}

/** URLs that name the worker that should get them. */
export function targets(homes: ReadonlyMap<string, string>): string[] {
  const sessions = [...homes].map(([session, home]) => `/session/${session}?session=${session}&expect=${home}`)
  return ['/light?expect=light', '/heavy/report?expect=heavy', ...sessions]
}

export interface TrafficTotals {
  requests: number
  faults: string[]
}

/** Sends `count` requests over kept-alive connections. One in four has a body, one in eight is pipelined. */
export async function sendTraffic(
  target: Target,
  urls: readonly string[],
  count: number,
  connections: number,
  seed: number,
): Promise<TrafficTotals> {
  const random = seededRandom(seed)
  const totals: TrafficTotals = { requests: 0, faults: [] }
  let begun = 0

  async function client(): Promise<void> {
    let connection = new RawClient(target)
    while (begun < count && totals.faults.length < 10) {
      const batch = Array.from({ length: random() < 0.125 ? 1 + Math.floor(random() * 4) : 1 }, request)
      begun += batch.length
      try {
        connection.write(Buffer.concat(batch.map(({ bytes }) => bytes)))
        for (const { what, expected } of batch) {
          const { status, headers, body } = await connection.answer(30_000)
          totals.requests++
          const text = body.toString()
          if (status !== 200 || text !== expected)
            totals.faults.push(`${what}: ${status} ${text.slice(0, 80)} from ${headers.get('x-worker')}`)
        }
      } catch (error) {
        totals.faults.push(`${batch.map(({ what }) => what).join(', ')}: ${(error as Error).message}`)
        connection.destroy()
        connection = new RawClient(target)
      }
    }
    connection.destroy()
  }

  function request(): { what: string; bytes: Buffer; expected: string } {
    const url = urls[Math.floor(random() * urls.length)] as string
    if (random() < 0.75) return { what: `GET ${url}`, bytes: Buffer.from(`GET ${url} HTTP/1.1\r\nHost: test\r\n\r\n`), expected: 'ok' }
    const body = Buffer.alloc(Math.floor(random() * 3000), `${random()}`)
    const head = Buffer.from(`POST ${url} HTTP/1.1\r\nHost: test\r\nContent-Length: ${body.length}\r\n\r\n`)
    return { what: `POST ${url}`, bytes: Buffer.concat([head, body]), expected: createHash('sha256').update(body).digest('hex') }
  }

  await Promise.all(Array.from({ length: connections }, client))
  return totals
}

/** Opens a page that fetches `count` times, from all URLs in turn, 12 at a time. One in four has a body. */
export async function askInPage(browser: Browser, origin: string, urls: readonly string[], count: number): Promise<{ faults: string[] }> {
  const page = await browser.newPage()
  await page.goto(`${origin}/who`)
  const faults = await page.evaluate(
    async ({ urls, count }) => {
      const found: string[] = []
      let next = 0
      // No named functions: esbuild would wrap them in a helper that the page does not have.
      const clients = Array.from({ length: 12 }, async () => {
        while (next < count) {
          const number = next++
          const url = urls[number % urls.length] as string
          const answer = await fetch(url, number % 4 === 0 ? { method: 'POST', body: 'x'.repeat(number % 3000) } : {}).catch(String)
          if (typeof answer === 'string') found.push(`${url}: ${answer}`)
          else if (answer.status !== 200) found.push(`${url}: ${answer.status} from ${answer.headers.get('x-worker')}`)
          else await answer.text()
        }
      })
      await Promise.all(clients)
      return found
    },
    { urls: [...urls], count },
  )
  await page.close()
  return { faults }
}

/** Connections that moved, and requests that were forwarded because their connection could not move at that moment. */
export function movesOf({ givenBack, forwarded }: BalancerStatus['moves']): { moved: number; forwarded: number } {
  // Over the portable channel no connection moves; natively these would have moved.
  const stayed = forwarded.filter(({ reason }) => reason === 'channel')
  return { moved: sumOf(givenBack) + sumOf(stayed), forwarded: sumOf(forwarded) - sumOf(stayed) }
}

/** The moves between two statuses. */
export function movesSince(before: Pick<BalancerStatus, 'moves'>, after: Pick<BalancerStatus, 'moves'>): BalancerStatus['moves'] {
  const more = <Move extends { route: string; reason: string; count: number }>(late: readonly Move[], early: readonly Move[]): Move[] =>
    late.flatMap((move) => {
      const count = move.count - (early.find(({ route, reason }) => route === move.route && reason === move.reason)?.count ?? 0)
      return count === 0 ? [] : [{ ...move, count }]
    })
  return {
    ...after.moves,
    givenBack: more(after.moves.givenBack, before.moves.givenBack),
    forwarded: more(after.moves.forwarded, before.moves.forwarded),
  }
}

export function sumOf(moves: readonly { count: number }[]): number {
  return moves.reduce((sum, { count }) => sum + count, 0)
}
