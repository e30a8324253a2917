// A new primary replaces the old one without a failed request.

import { assert, suite } from '../../../../test/suite.ts'
import { exchange, get, json, RawClient } from './support/raw-client.ts'
import { RequestHold } from './support/request-hold.ts'
import { movesConnections, type RunningBalancer } from './support/running-balancer.ts'
import {
  firstEnded,
  isAlive,
  newPrimariesOf,
  SteadyLoad,
  startUpgradable,
  stopServing,
  untilGone,
  upgrade,
} from './support/upgradable-balancer.ts'

const test = suite('upgrade', { timeoutMs: 60_000 })
const KEEP = { Connection: 'keep-alive' }
const config = { app: 'echo-app.mjs', pools: { web: { workers: 2 } } }
// On a slow machine idle connections must last until the test uses them.
const env = { SERVER_OPTIONS: JSON.stringify({ keepAliveTimeout: 600_000 }) }

const workersOf = async (balancer: RunningBalancer) => (await balancer.status()).pools[0]?.workers.map(({ pid }) => pid) ?? []
const pidOf = async (client: RawClient, url = '/') => json<{ pid: number }>(await client.write(get(url, KEEP)).answer()).pid

test('under load on kept-alive and new connections no request fails', async () => {
  const balancer = await startUpgradable({ config: { ...config, app: 'expect-app.mjs' } })
  const load = new SteadyLoad(balancer.port, { kept: 8, fresh: 4, idle: 24 })
  await load.more(200)
  for (let before = balancer.pid; newPrimariesOf(balancer).length < 2; ) {
    const pid = await upgrade(balancer)
    await untilGone(before)
    assert.is((await balancer.status()).pools[0]?.ready, 2)
    await load.more(200)
    before = pid
  }
  const { requests, faults } = await load.stop()
  assert.equal(faults, [], balancer.child.output())
  assert.ok(requests >= 600, `${requests}`)
  assert.is(await firstEnded(balancer), 0)
  await stopServing(balancer)
})

test('resting connections and incomplete heads move, and the new workers serve their next requests', async () => {
  const balancer = await startUpgradable({ config: { ...config, pools: { web: { workers: 2, rest: 'always' } } }, env })
  const old = await workersOf(balancer)
  const [resting, half] = [new RawClient(balancer.port), new RawClient(balancer.port)]
  for (const client of [resting, half]) assert.ok(old.includes(await pidOf(client)))
  if (movesConnections) await balancer.untilStatus(({ connections }) => connections.waiting.resting === 2, 'both resting')
  half.write('GET / HTTP/1.1\r\nHo')
  const fresh = new RawClient(balancer.port).write('GET / HT')
  await balancer.untilStatus(({ connections }) => connections.waiting.head === (movesConnections ? 2 : 1), 'incomplete heads')
  await upgrade(balancer)
  const now = await workersOf(balancer)
  assert.not.ok(now.some((pid) => old.includes(pid)))
  fresh.write('TP/1.1\r\nHost: a\r\n\r\n')
  const [freshPid] = [json<{ pid: number }>(await fresh.answer()).pid]
  if (movesConnections) {
    assert.ok(now.includes(freshPid))
    assert.ok(now.includes(json<{ pid: number }>(await half.write('st: a\r\n\r\n').answer()).pid))
    assert.ok(now.includes(await pidOf(resting)))
  } else {
    // Old workers answer what the old primary has accepted, and close idle connections without a reset.
    assert.ok(old.includes(freshPid))
    await resting.over()
    assert.is(resting.error, undefined)
  }
  for (const client of [resting, half, fresh]) client.destroy()
  assert.is(await firstEnded(balancer), 0)
  await stopServing(balancer)
})

test('idle connections of the old workers move; a started request is finished, and the old primary waits for it', async () => {
  const balancer = await startUpgradable({ config, env })
  const old = await workersOf(balancer)
  const hold = new RequestHold()
  const busy = new RawClient(balancer.port).write(hold.request('/wait'))
  await balancer.untilLine(({ msg }) => msg === 'wait begun', 'the slow request')
  const idle = Array.from({ length: 8 }, () => new RawClient(balancer.port))
  for (const client of idle) assert.ok(old.includes(await pidOf(client)))
  await upgrade(balancer)
  const now = await workersOf(balancer)
  for (const client of idle) {
    if (movesConnections) assert.ok(now.includes(await pidOf(client)))
    else await client.over()
    assert.is(client.error, undefined)
    client.destroy()
  }
  assert.ok(isAlive(balancer.pid))
  hold.release()
  const { status, body } = await busy.answer()
  assert.is(status, 200)
  assert.ok(old.includes(JSON.parse(body.toString()).pid))
  busy.destroy()
  assert.is(await firstEnded(balancer), 0)
  await stopServing(balancer)
})

test('old tickets stay valid and lead to the old worker until it exits', async () => {
  const route = { path: '/*', policy: { sticky: { by: 'ticket' as const } } }
  const balancer = await startUpgradable({ config: { ...config, routes: [route] } })
  const hold = new RequestHold()
  const first = await exchange(balancer.port, get('/'))
  const { pid, slot } = json<{ pid: number; slot: number }>(first)
  const cookie = { Cookie: (first.headers.get('set-cookie')?.[0] ?? '').split(';')[0] as string }
  const busy = new RawClient(balancer.port).write(hold.request('/wait', cookie))
  await balancer.untilLine(({ msg }) => msg === 'wait begun', 'the slow request')
  await upgrade(balancer)
  const during = await exchange(balancer.port, get('/', cookie))
  if (movesConnections) assert.equal([json<{ pid: number }>(during).pid, during.headers.get('set-cookie')], [pid, undefined])
  hold.release()
  assert.is((await busy.answer()).status, 200)
  busy.destroy()
  assert.is(await firstEnded(balancer), 0)
  for (let turn = 0; turn < 6; turn++) {
    const after = await exchange(balancer.port, get('/', cookie))
    // The slot is the same but the worker is new, so there is a new ticket.
    assert.is(json<{ slot: number }>(after).slot, slot)
    assert.not.equal(json<{ pid: number }>(after).pid, pid)
    assert.is(after.headers.get('set-cookie')?.length, 1)
  }
  await stopServing(balancer)
})

test.run()
