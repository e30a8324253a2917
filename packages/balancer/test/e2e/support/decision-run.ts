// Many requests of all kinds of keys and policies, whose decisions are followed and replayed.

import { connect } from 'node:net'
import { RequestHead, TicketSeal } from '@switchyard/routing'
import { patience } from '../../../../../test/support/patience.ts'
import { seededRandom } from '../../../../../test/support/random.ts'
import { until } from '../../../../../test/support/until.ts'
import type { BalancerConfig } from '../../../src/config/config.ts'
import { resolveSettings } from '../../../src/config/resolve.ts'
import { ControlClient } from '../../../src/control/control-client.ts'
import type { Settings } from '../../../src/settings.ts'
import { DecisionReplay, type KnownKey } from './decision-replay.ts'
import { fixture, startBalancer } from './running-balancer.ts'

const WORKERS = 4
const KEYS = 100
const CLIENTS = 48
/** The last part of the requests takes equal time in every loop, so that some are offered ahead to a busy loop. */
const EQUAL_SHARE = 0.2
const EQUAL_MS = 3
const SECRET = 'a secret for tests only'

const config: BalancerConfig = {
  app: fixture('blocking-app.mjs'),
  pools: { web: { workers: WORKERS } },
  secret: SECRET,
  decisions: true,
  routes: [
    { path: '/hash/*', policy: { sticky: { by: { header: 'x-key' }, otherwise: 'least-in-flight', breakAt: 1, breakFloor: 1 } } },
    { path: '/ticket/*', policy: { sticky: { by: 'ticket', otherwise: 'round-robin' } } },
    { path: '/turn/*', policy: 'round-robin' },
    { path: '/flight/*', policy: 'least-in-flight' },
    { path: '/quick/*', policy: { 'least-busy': { latency: true } } },
  ],
}

export interface DecisionRun {
  readonly replay: DecisionReplay
  readonly decisions: number
  /** Decisions that came too late to be read. */
  readonly lost: number
  /** Connections that were answered. */
  readonly answered: number
}

/** Sends so many requests, each over a new connection, and replays every decision. */
export async function replayDecisions(requests: number, seed: number): Promise<DecisionRun> {
  const balancer = await startBalancer({ config })
  await balancer.untilAllReady()
  const socket = String(balancer.lines.find(({ msg }) => msg.startsWith('ready:'))?.control)
  const settings = resolveSettings(config, { folder: balancer.temporary, env: {} })
  const known = knownKeys(settings)
  const replay = new DecisionReplay(settings, known)
  let decisions = 0
  let lost = 0
  let isFollowing = false
  const following = (async () => {
    for await (const report of new ControlClient(socket).decisions({ count: 1_000, follow: true })) {
      if ('lost' in report) lost += report.lost
      if (!('decision' in report)) continue
      isFollowing = true
      decisions++
      replay.replay(report.decision)
    }
  })()
  const random = seededRandom(seed)
  let left = requests
  let answered = 0
  // The first decision shows that the follower is there.
  await send(balancer.port, known, random)
  await until(() => isFollowing, patience(10_000), 'the first decision')
  const client = async (): Promise<void> => {
    while (left-- > 0) if (await send(balancer.port, known, random, left < requests * EQUAL_SHARE)) answered++
  }
  await Promise.all(Array.from({ length: CLIENTS }, client))
  await until(() => decisions + lost > requests, patience(20_000), 'every decision')
  await balancer.stop()
  await following
  return { replay, decisions, lost, answered }
}

function knownKeys({ ticketKeys }: Settings): KnownKey[] {
  const seal = new TicketSeal(ticketKeys)
  return Array.from({ length: KEYS }, (_, index) => {
    if (index % 2 === 0) {
      const key = `visitor-${index}`
      return { key, head: RequestHead.of({ target: '/hash/', headers: { 'x-key': key } }) }
    }
    const key = seal.issue({ slot: index % (WORKERS + 1), generation: 0, pool: 'web', expiresAtMs: Date.now() + 3_600_000 })
    return { key, head: RequestHead.of({ target: '/ticket/', headers: { cookie: `switchyard-web=${key}` } }) }
  })
}

/** One request over a new connection. Resolves with whether it was answered. */
function send(port: number, known: readonly KnownKey[], random: () => number, isEqual = false): Promise<boolean> {
  const route = isEqual ? '/' : (['/hash/', '/ticket/', '/turn/', '/flight/', '/quick/', '/'][Math.floor(random() * 6)] as string)
  const { head } = known[Math.floor(random() * known.length)] as KnownKey
  const key = head.header('x-key')
  const cookie = head.header('cookie')
  // Every tenth request blocks its loop, so that others wait, are offered ahead or are recalled.
  const target = isEqual || random() < 0.1 ? `${route}?ms=${EQUAL_MS}` : route
  const fields = [
    ...(key !== undefined && route === '/hash/' ? [`X-Key: ${key}`] : []),
    ...(cookie !== undefined && route === '/ticket/' ? [`Cookie: ${cookie}`] : []),
  ]
  const text = [`GET ${target} HTTP/1.1`, 'Host: a', 'Connection: close', ...fields, '', ''].join('\r\n')
  return new Promise((resolve) => {
    let isAnswered = false
    const socket = connect({ port, host: '127.0.0.1' }, () => socket.write(text))
    socket.on('data', () => {
      isAnswered = true
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve(isAnswered))
  })
}
