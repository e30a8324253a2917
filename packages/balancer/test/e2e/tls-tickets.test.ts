// TLS sessions of an https app: a client resumes its session at any worker, and comes back to its own where routes are sticky. Long form: soak/tls-tickets.soak.ts.

import { copyFileSync } from 'node:fs'
import { assert, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import type { BalancerConfig } from '../../src/config/config.ts'
import { makeCertificate } from '../support/certificate-maker.ts'
import { certificate } from './support/certificate.ts'
import { visitByCurl, visitByOpenssl } from './support/command-visitors.ts'
import { runCommand } from './support/commands.ts'
import { type RunningBalancer, startBalancer, temporaryFolder } from './support/running-balancer.ts'
import { TlsVisitors } from './support/tls-ticket-run.ts'
import { TlsVisitor } from './support/tls-visitor.ts'
import { startUpgradable, stopServing, upgrade } from './support/upgradable-balancer.ts'
import { wssRun } from './support/wss-run.ts'

const test = suite('TLS tickets', { timeoutMs: 60_000 })
const STICKY = { sticky: { by: 'ticket' } } as const
const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const
const WORKERS = 3
const CLIENTS = 6

const configOf = (more: Partial<BalancerConfig> = {}): BalancerConfig => ({
  pools: { web: { app: 'https-app.mjs', workers: WORKERS, env: certificate() } },
  policy: STICKY,
  drainTimeoutMs: 1_000,
  ...more,
})

const forwardsOf = async (balancer: RunningBalancer): Promise<number> =>
  (await balancer.status()).moves.forwarded.reduce((sum, { count }) => sum + count, 0)

/** Clients of both versions, whose later visits must be resumed, in the slot of the client. */
class Visitors {
  private readonly all: readonly { readonly version: (typeof VERSIONS)[number]; readonly visitors: TlsVisitors }[]

  constructor(port: number) {
    this.all = VERSIONS.map((version) => ({ version, visitors: new TlsVisitors({ port, version, clients: CLIENTS }) }))
  }

  async visit(what: string): Promise<void> {
    for (const { version, visitors } of this.all) {
      await visitors.visit()
      const { later, resumed, inSlot } = visitors.totals
      assert.equal({ resumed, inSlot }, { resumed: later, inSlot: later }, `${version} ${what}`)
    }
  }

  /** Visits that could be resumed, by version. */
  get later(): number[] {
    return this.all.map(({ visitors }) => visitors.totals.later)
  }
}

test('sessions are resumed, in the slot of the client, also after the death of a worker, a reload and an upgrade', async () => {
  const balancer = await startUpgradable({ config: configOf() })
  const visitors = new Visitors(balancer.port)
  const visit = (what: string) => visitors.visit(what)
  await visit('at first')
  await visit('again')
  const before = await balancer.status()
  const [dead] = before.pools[0]?.workers ?? []
  process.kill(dead?.pid as number, 'SIGKILL')
  await balancer.untilStatus(
    ({ pools: [web] }) => web?.ready === WORKERS && web.workers.every(({ pid }) => pid !== dead?.pid),
    'a replacement',
  )
  await visit('after the death of a worker')
  assert.is((await runCommand(balancer, ['reload'])).code, 0)
  await visit('after a reload')
  await upgrade(balancer)
  await visit('after an upgrade')
  assert.equal(visitors.later, [CLIENTS * 4, CLIENTS * 4])
  await stopServing(balancer)
})

test('a rotation of the keys costs no client a handshake', async () => {
  const ROTATION_MS = 1_000
  const balancer = await startBalancer({ config: configOf({ ticketKeyRotationMs: ROTATION_MS, policy: 'round-robin' }) })
  await balancer.untilAllReady()
  const client = new TlsVisitor({ port: balancer.port, version: 'TLSv1.3' })
  const startMs = performance.now()
  let atMs = startMs
  let resumed = 0
  // A ticket is valid for one rotation at least.
  while (performance.now() - startMs < 3 * ROTATION_MS) {
    const visit = await client.visit()
    const isRecent = atMs !== startMs && performance.now() - atMs < ROTATION_MS
    if (isRecent) assert.ok(visit.resumed, `after ${Math.round(performance.now() - startMs)} ms`)
    if (isRecent) resumed++
    atMs = performance.now()
  }
  assert.ok(resumed > 0)
  assert.is(await balancer.stop(), 0)
})

test('an old ticket is refused, and the client is served all the same', async () => {
  const balancer = await startBalancer({ config: configOf({ ticketKeyRotationMs: 50 }) })
  await balancer.untilAllReady()
  for (const version of VERSIONS) {
    const client = new TlsVisitor({ port: balancer.port, version })
    const { slot } = await client.visit()
    const { session } = client
    const back = await until(
      async () => {
        client.session = session
        const visit = await client.visit()
        return visit.resumed ? undefined : visit
      },
      10_000,
      'a full handshake',
    )
    assert.is(back.slot, slot, 'the name of the ticket leads to its slot')
  }
  assert.is(await balancer.stop(), 0)
})

test('curl and openssl resume too', async () => {
  const balancer = await startBalancer({ config: configOf() })
  await balancer.untilAllReady()
  const { port } = balancer
  for (const visits of [await visitByCurl(port), await visitByOpenssl(port, 3, '1.2'), await visitByOpenssl(port, 3, '1.3')]) {
    const [first, ...later] = visits
    assert.is(first?.resumed, false)
    assert.ok(later.length > 0 && later.every(({ resumed, slot }) => resumed && slot === first?.slot), JSON.stringify(visits))
  }
  assert.is(await balancer.stop(), 0)
})

test('a listener that ends TLS has the same tickets, also after a reload', async () => {
  const folder = temporaryFolder()
  const { cert, key } = makeCertificate(folder, 'site', { names: ['localhost'] })
  const balancer = await startBalancer({
    config: {
      pools: { web: { app: 'plain-app.mjs', workers: WORKERS } },
      listen: { host: '127.0.0.1', port: 0, tls: { cert, key } },
      policy: STICKY,
      drainTimeoutMs: 1_000,
    },
  })
  await balancer.untilAllReady()
  const visitors = new Visitors(balancer.port)
  const visit = (what: string) => visitors.visit(what)
  await visit('at first')
  await visit('again')
  // A renewal gives the server a new context.
  const renewed = makeCertificate(folder, 'renewed', { names: ['localhost'] })
  copyFileSync(renewed.key, key)
  copyFileSync(renewed.cert, cert)
  await balancer.untilLine(({ msg }) => msg.includes('get the certificate in'), 'the renewal')
  await visit('after a renewal')
  assert.is((await runCommand(balancer, ['reload'])).code, 0)
  await visit('after a reload')
  assert.equal(visitors.later, [CLIENTS * 3, CLIENTS * 3])
  assert.is(await balancer.stop(), 0)
})

for (const [what, more] of Object.entries({
  'every route is sticky': {},
  'another route is not': { policy: 'round-robin', routes: [{ path: '/', policy: STICKY }] },
} as Record<string, Partial<BalancerConfig>>)) {
  test(`a first connection whose cookie names another slot is forwarded, and the next one comes right: ${what}`, async () => {
    const balancer = await startBalancer({ config: configOf(more) })
    await balancer.untilAllReady()
    for (const version of VERSIONS) {
      const client = new TlsVisitor({ port: balancer.port, version, keepsCookies: true })
      const { slot } = await client.visit()
      // Without a session the client comes to another worker.
      const before = await forwardsOf(balancer)
      for (let turn = 0; (await forwardsOf(balancer)) === before && turn < 20; turn++) {
        client.session = undefined
        assert.is((await client.visit()).slot, slot)
      }
      assert.is(await forwardsOf(balancer), before + 1)
      for (let turn = 0; turn < 3; turn++) assert.equal(await client.visit(), { resumed: true, slot })
      assert.is(await forwardsOf(balancer), before + 1, version)
    }
    assert.is(await balancer.stop(), 0)
  })
}

test('socket.io over TLS: no session is unknown, and next to no request is forwarded', async () => {
  const routes = [{ path: '/socket.io/*', policy: STICKY }]
  const { faults, requests, forwarded, sessions } = await wssRun({ clients: 10, sessions: 2, workers: WORKERS, routes })
  assert.equal(faults, [])
  assert.is(sessions, 20)
  assert.ok(requests >= 4 * sessions && forwarded <= requests / 100, `${forwarded} of ${requests} requests`)
})

test.run()
