// A cluster of three: slots move under load, and a node hangs and comes back.

import { assert, suite } from '../../../../test/suite.ts'
import { type RedisCluster, type RedisServer, startCluster } from '../../../../test/support/redis-servers.ts'
import { until } from '../../../../test/support/until.ts'
import { openRedisStore, type RedisStore } from '../../src/redis/redis-store.ts'
import { sessionDefaults } from '../../src/session-settings.ts'
import { SessionLoad } from './session-load.ts'

const test = suite('redis cluster', { timeoutMs: 15_000 })
const IDS = Array.from({ length: 12 }, (_, index) => `session-${index}`)
let cluster: RedisCluster
let stores: RedisStore[] = []

test.before(async () => {
  cluster = await startCluster()
})
test.after.each(async () => {
  for (const store of stores.splice(0)) await store.close()
})

/** The stores of two workers. */
async function openTwo(commandTimeoutMs: number): Promise<RedisStore> {
  const settings = { ...sessionDefaults, url: cluster.url, commandTimeoutMs, breaker: { failures: 5, openMs: 200 } }
  const first = await openRedisStore(settings)
  stores = [first, await openRedisStore(settings)]
  await first.clear()
  return first
}

const slotOf = async (id: string): Promise<number> => Number(await cluster.nodes[0]?.command('CLUSTER', 'KEYSLOT', `{switchyard:${id}}`))

test('sessions are spread over the nodes, and ids and clear cover all nodes', async () => {
  const store = await openTwo(5_000)
  const ids = Array.from({ length: 300 }, (_, index) => `id-${index}`)
  await Promise.all(ids.map((id) => store.write(id, '1', 60_000)))
  for (const node of cluster.nodes) assert.ok(Number(await node.command('DBSIZE')) > 50)
  assert.equal([...(await store.ids(1000))].sort(), [...ids].sort())
  await store.clear()
  for (const node of cluster.nodes) assert.is(await node.command('DBSIZE'), 0)
})

test('slots that move under load: no increment is lost, counted twice or failed', async () => {
  const commandTimeoutMs = 5_000
  await openTwo(commandTimeoutMs)
  const load = new SessionLoad({ stores, ids: IDS, clients: 24, commandTimeoutMs })
  await until(() => load.counts.acknowledged > 200, 10_000, 'increments')
  for (const [index, id] of IDS.entries()) {
    const slot = await slotOf(id)
    const owner = await cluster.ownerOf(slot)
    const others = cluster.nodes.filter((node) => node !== owner)
    await cluster.moveSlot(slot, others[index % others.length] as RedisServer)
    const enough = load.counts.acknowledged + 50
    await until(() => load.counts.acknowledged > enough, 10_000, 'increments')
  }
  await load.stop()
  await load.check()
  assert.is(load.counts.failed, 0)
})

test('a node that hangs: its sessions fail in time, other sessions work, and it recovers', async () => {
  const commandTimeoutMs = 300
  await openTwo(commandTimeoutMs)
  const owners = new Map<string, RedisServer>()
  for (const id of IDS) owners.set(id, await cluster.ownerOf(await slotOf(id)))
  const hung = owners.get(IDS[0] as string) as RedisServer
  const load = new SessionLoad({ stores, ids: IDS, clients: 24, commandTimeoutMs })
  await until(() => load.counts.acknowledged > 100, 10_000, 'increments')
  hung.pause()
  await until(() => load.counts.failed > 50, 10_000, 'failures')
  hung.resume()
  const enough = load.counts.acknowledged + 500
  await until(() => load.counts.acknowledged > enough, 10_000, 'increments')
  await until(() => stores.every((store) => store.status().state === 'up'), 10_000, 'stores that are up')
  await load.stop()
  await load.check()
  assert.ok(stores.every((store) => store.status().state === 'up'))
})

test('all nodes are killed and new ones start: it recovers', async () => {
  const store = await openTwo(300)
  await Promise.all(cluster.nodes.map((node) => node.kill()))
  await until(
    () =>
      store.read('one').then(
        () => false,
        () => true,
      ),
    5_000,
    'a failure',
  )
  await Promise.all(cluster.nodes.map((node) => node.restart()))
  await until(
    () =>
      store.write('one', '1', 60_000).then(
        () => true,
        () => false,
      ),
    15_000,
    'a write',
  )
  assert.is(store.status().state, 'up')
})

test.run()
