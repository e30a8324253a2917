// The long form of e2e/tls-tickets.test.ts, with its figures.

import { setTimeout } from 'node:timers/promises'
import { assert, suite } from '../../../test/suite.ts'
import { certificate } from '../test/e2e/support/certificate.ts'
import { visitByCurl, visitByOpenssl } from '../test/e2e/support/command-visitors.ts'
import { runCommand } from '../test/e2e/support/commands.ts'
import type { RunningBalancer } from '../test/e2e/support/running-balancer.ts'
import { TlsVisitors } from '../test/e2e/support/tls-ticket-run.ts'
import { startUpgradable, stopServing, upgrade } from '../test/e2e/support/upgradable-balancer.ts'
import { wssRun } from '../test/e2e/support/wss-run.ts'

const CLIENTS = Number(process.env.CLIENTS ?? 200)
const VISITS = 5
const WORKERS = 4
/** Longer than any client stays away on a slow machine: a ticket of TLS 1.2 is not renewed, and valid for one rotation at least. */
const ROTATION_MS = 120_000
const STICKY = { sticky: { by: 'ticket' } } as const
const test = suite('TLS tickets, long', { timeoutMs: 1_800_000 })

async function killWorker(balancer: RunningBalancer): Promise<void> {
  const { pools } = await balancer.status()
  const pid = pools[0]?.workers[0]?.pid as number
  process.kill(pid, 'SIGKILL')
  await balancer.untilStatus(
    ({ pools: [web] }) => web?.ready === WORKERS && web.workers.every((worker) => worker.pid !== pid),
    'a replacement',
    60_000,
  )
}

/** What happens before a round of visits. */
const EVENTS: Readonly<Record<string, (balancer: RunningBalancer) => Promise<unknown>>> = {
  nothing: async () => {},
  'the death of a worker': killWorker,
  'a reload': async (balancer) => assert.is((await runCommand(balancer, ['reload'])).code, 0),
  'an upgrade': (balancer) => upgrade(balancer),
  'a rotation': () => setTimeout(ROTATION_MS + 1_000),
}

for (const policy of [STICKY, 'round-robin'] as const) {
  test(`${CLIENTS} clients, ${VISITS} visits each after every event, ${policy === STICKY ? 'sticky' : policy}`, async () => {
    const balancer = await startUpgradable({
      config: {
        pools: { web: { app: 'https-app.mjs', workers: WORKERS, env: certificate() } },
        policy,
        ticketKeyRotationMs: ROTATION_MS,
        drainTimeoutMs: 2_000,
      },
    })
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      for (const [event, happen] of Object.entries(EVENTS)) {
        const visitors = new TlsVisitors({ port: balancer.port, version, clients: CLIENTS })
        await visitors.visit()
        await happen(balancer)
        for (let visit = 1; visit < VISITS; visit++) await visitors.visit()
        const { later, resumed, inSlot } = visitors.totals
        console.log(JSON.stringify({ policy: policy === STICKY ? 'sticky' : policy, version, event, later, resumed, inSlot }))
        assert.is(later, CLIENTS * (VISITS - 1))
        assert.ok(resumed >= 0.99 * later, `${resumed} of ${later} resumed`)
        if (policy === STICKY) assert.ok(inSlot >= 0.99 * resumed, `${inSlot} of ${resumed} in their slot`)
      }
      const short = version === 'TLSv1.2' ? '1.2' : '1.3'
      const commands = {
        openssl: () => visitByOpenssl(balancer.port, VISITS, short),
        ...(short === '1.3' && { curl: () => visitByCurl(balancer.port) }),
      }
      for (const [command, visit] of Object.entries(commands)) {
        const runs = await Promise.all(Array.from({ length: 10 }, visit))
        const later = runs.flatMap((visits) => visits.slice(1))
        const inSlot = runs.flatMap(([first, ...others]) => others.filter(({ slot }) => slot === first?.slot))
        console.log(
          JSON.stringify({
            command,
            version,
            later: later.length,
            resumed: later.filter(({ resumed }) => resumed).length,
            inSlot: inSlot.length,
          }),
        )
        assert.ok(later.every(({ resumed }) => resumed))
      }
    }
    await stopServing(balancer)
  })
}

for (const hasOwnKeys of [false, true]) {
  test(`${CLIENTS} socket.io clients over TLS, polling and upgrade, ${hasOwnKeys ? 'cookies and session ids alone' : 'with tickets'}`, async () => {
    const routes = [{ path: '/socket.io/*', policy: STICKY }]
    const totals = await wssRun({ clients: CLIENTS, sessions: 3, workers: WORKERS, routes, hasOwnKeys })
    console.log(JSON.stringify({ hasOwnKeys, ...totals }))
    assert.equal(totals.faults, [])
    if (!hasOwnKeys) assert.ok(totals.forwarded < totals.requests / 100, `${totals.forwarded} of ${totals.requests} requests`)
  })
}

test.run()
