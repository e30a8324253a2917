// Idle kept-alive connections return to the primary after a response, and their next request is picked afresh.

import { assert, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { get, RawClient } from './support/raw-client.ts'
import { type RunningBalancer, startBalancer } from './support/running-balancer.ts'

const test = suite('rest', { timeoutMs: 40_000 })
const KEEP = { Connection: 'keep-alive' }
const single = { web: { workers: 1, rest: 'always' as const } }

function start(more: object = {}, env: Record<string, string> = {}): Promise<RunningBalancer> {
  const config = { app: 'expect-app.mjs', pools: { web: { workers: 2, rest: 'always' as const } }, policy: 'round-robin' as const, ...more }
  return startBalancer({ config, env })
}

const resting = (balancer: RunningBalancer, count: number) =>
  balancer.untilStatus(({ connections }) => connections.waiting.resting === count, `${count} at rest`)

const workerOf = async (client: RawClient, url = '/') => (await client.write(get(url, KEEP)).answer()).headers.get('x-worker')?.[0]

test('an idle connection rests in the primary; its next request is picked afresh', async () => {
  const balancer = await start()
  await balancer.untilAllReady()
  const client = new RawClient(balancer.port)
  const seen = new Set<string | undefined>()
  for (let turn = 0; turn < 50 && seen.size < 2; turn++) {
    seen.add(await workerOf(client))
    await resting(balancer, 1)
  }
  assert.equal([...seen].sort(), ['web/0', 'web/1'])
  client.write('GET / HTTP/1.1\r\nHo')
  await balancer.untilStatus(({ connections }) => connections.waiting.head === 1, 'an incomplete head')
  assert.is((await client.write('st: a\r\n\r\n').answer()).status, 200)
  await resting(balancer, 1)
  client.destroy()
  await resting(balancer, 0)
  assert.is(await balancer.stop(), 0)
})

test('rest ends with the app’s keepAliveTimeout', async () => {
  const balancer = await start({ pools: single }, { KEEP_ALIVE_MS: '400' })
  const client = new RawClient(balancer.port)
  const begun = performance.now()
  await workerOf(client)
  await client.over(3_000)
  const ms = performance.now() - begun
  assert.ok(ms >= 390, `${ms} ms`)
  assert.is(client.unread, 0)
  client.destroy()
  assert.is(await balancer.stop(), 0)
})

test('resting connections are bounded: the longest resting one is closed', async () => {
  const balancer = await start({ pools: single, maxResting: 2 })
  const clients = [new RawClient(balancer.port), new RawClient(balancer.port), new RawClient(balancer.port)]
  for (const [index, client] of clients.entries()) {
    await workerOf(client)
    await resting(balancer, Math.min(index + 1, 2))
  }
  await clients[0]?.over()
  assert.equal(
    clients.map(({ isOver }) => isOver),
    [true, false, false],
  )
  for (const client of clients) client.destroy()
  assert.is(await balancer.stop(), 0)
})

test('a resting connection survives the exit of its last worker', async () => {
  const balancer = await start({ pools: single })
  const client = new RawClient(balancer.port)
  await workerOf(client)
  const { pools } = await resting(balancer, 1)
  process.kill(pools[0]?.workers[0]?.pid as number, 'SIGKILL')
  await balancer.untilStatus(({ pools }) => (pools[0]?.workers[0]?.restarts ?? 0) > 0 && pools[0]?.ready === 1, 'another')
  assert.is(await workerOf(client), 'web/0')
  client.destroy()
  assert.is(await balancer.stop(), 0)
})

test('with `auto` connections rest while requests are heavy, and stop when they are light', async () => {
  const balancer = await start({ pools: { web: { workers: 1 } } })
  const client = new RawClient(balancer.port)
  // The estimate of light requests takes some of them.
  const noRest = async () => {
    for (let turn = 0; turn < 200; turn++) await workerOf(client)
    return (await balancer.status()).connections.waiting.resting === 0
  }
  await until(noRest, 10_000, 'no rest')
  await until(
    async () => {
      for (let turn = 0; turn < 5; turn++) await workerOf(client, '/block?ms=20')
      return (await balancer.status()).connections.waiting.resting === 1
    },
    10_000,
    'rest',
  )
  await until(noRest, 10_000, 'no rest')
  client.destroy()
  assert.is(await balancer.stop(), 0)
})

test('a connection that is bound to a worker does not rest', async () => {
  const balancer = await start({ routes: [{ path: '/*', policy: { sticky: { by: { query: 'session' } } } }] })
  // Otherwise the second slot may become ready in between and be the home of this key.
  await balancer.untilAllReady()
  const client = new RawClient(balancer.port)
  await workerOf(client, '/?session=a')
  await workerOf(client, '/?session=a')
  const { moves } = await balancer.status()
  assert.equal(moves.givenBack, [])
  client.destroy()
  assert.is(await balancer.stop(), 0)
})

test.run()
