// Polling of socket.io with several workers: without a sticky route messages are lost, and one log line says what to configure.

import { assert, suite } from '../../../../test/suite.ts'
import type { BalancerConfig } from '../../src/config/config.ts'
import { exchange, get } from './support/raw-client.ts'
import { type RunningBalancer, startBalancer } from './support/running-balancer.ts'

const test = suite('socket.io routes', { timeoutMs: 60_000 })

const POLL = '/socket.io/?EIO=4&transport=polling'
const polling = { path: '/socket.io/*', policy: { sticky: { by: { ticket: {} } } } } as unknown as NonNullable<
  BalancerConfig['routes']
>[number]

/** The first message of a client, which is answered at once. */
const send = (sid: string): string =>
  `POST ${POLL}&sid=${sid} HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n40`

/**
 * Opens engine.io sessions and sends a message to each, always on a new connection, as polling clients may. Resolves with the number of unknown
 * sessions.
 */
async function poll(balancer: RunningBalancer, sessions = 20): Promise<number> {
  let unknown = 0
  for (let session = 0; session < sessions; session++) {
    const { body } = await exchange(balancer.port, get(POLL))
    const sid = /"sid":"([^"]+)"/.exec(body.toString())?.[1]
    assert.ok(sid, body.toString())
    const { status } = await exchange(balancer.port, send(sid as string))
    if (status === 400) unknown++
    else assert.is(status, 200)
  }
  return unknown
}

const warnings = ({ lines }: RunningBalancer): string[] =>
  lines.filter(({ level, msg }) => level >= 40 && msg.includes('socket.io')).map(({ msg }) => msg)

async function started(routes: BalancerConfig['routes'], env: Record<string, string> = {}, workers = 2): Promise<RunningBalancer> {
  const balancer = await startBalancer({
    // Engine.io sessions stay open.
    config: { app: 'socket-io-app.mjs', pools: { web: { workers } }, drainTimeoutMs: 1_000, ...(routes && { routes }) },
    env,
  })
  await balancer.untilAllReady()
  return balancer
}

test('no sticky route: one warning names the route and stickyIds', async () => {
  const balancer = await started(undefined)
  assert.ok((await poll(balancer)) > 0)
  await balancer.untilLine(({ msg }) => msg.includes('its route is not sticky'), 'the warning')
  const [warning = '', ...more] = warnings(balancer)
  assert.match(warning, "{ path: '/socket.io/*', policy: sticky({ by: ticket() }) } first in 'routes'")
  assert.match(warning, "stickyIds(io.engine) from '@switchyard/worker-runtime'")
  assert.equal(more, [])
  assert.is(await balancer.stop(), 0)
})

test('stickyIds without a sticky route: a warning too', async () => {
  const balancer = await started(undefined, { STICKY_IDS: '1' })
  assert.ok((await poll(balancer)) > 0)
  await balancer.untilLine(({ msg }) => msg.includes('its route is not sticky'), 'the warning')
  assert.is(await balancer.stop(), 0)
})

test('a sticky route without stickyIds: clients without cookies lose messages, and the warning names stickyIds', async () => {
  const balancer = await started([polling])
  assert.ok((await poll(balancer)) > 0)
  await balancer.untilLine(({ msg }) => msg.includes('its session ids carry no ticket'), 'the warning')
  assert.is(await balancer.stop(), 0)
})

test('both: no message is lost and no warning is logged, not even for an invented session', async () => {
  const balancer = await started([polling], { STICKY_IDS: '1' })
  assert.is(await poll(balancer), 0)
  assert.is((await exchange(balancer.port, send('nonsense'))).status, 400)
  assert.is(await balancer.stop(), 0)
  assert.equal(warnings(balancer), [])
})

test('a single worker has every session', async () => {
  const balancer = await started(undefined, {}, 1)
  assert.is(await poll(balancer, 3), 0)
  assert.is((await exchange(balancer.port, send('nonsense'))).status, 400)
  assert.is(await balancer.stop(), 0)
  assert.equal(warnings(balancer), [])
})

test.run()
