// The table that balancers share: entries reach the other balancers, and those that start later.

import { assert, suite } from '../../../../test/suite.ts'
import { freePort } from '../../../../test/support/ports.ts'
import { type RedisServer, startCluster, startRedis } from '../../../../test/support/redis-servers.ts'
import { until } from '../../../../test/support/until.ts'
import { openSharedTable, type SharedEntry, type SharedTable } from '../../src/redis/shared-table.ts'
import { sessionDefaults } from '../../src/session-settings.ts'

const test = suite('shared table', { timeoutMs: 5_000 })
const open: SharedTable[] = []
let server: RedisServer

test.before(async () => {
  server = await startRedis()
})
test.before.each(() => server.command('FLUSHALL'))
test.after.each(async () => {
  for (const table of open.splice(0)) await table.close()
})

/** The tables of two balancers, and the entries that each received from the other. */
async function pair(
  url: string,
  maxEntries?: number,
): Promise<{ one: SharedTable; other: SharedTable; received: SharedEntry[]; own: SharedEntry[] }> {
  const settings = { ...sessionDefaults, url }
  const options = maxEntries === undefined ? {} : { maxEntries }
  const [one, other] = [openSharedTable(settings, 'learned', options), openSharedTable(settings, 'learned', options)]
  open.push(one, other)
  const [received, own]: SharedEntry[][] = [[], []]
  other.onChange((entry) => received?.push(entry))
  one.onChange((entry) => own?.push(entry))
  for (const [from, into] of [
    [one, received],
    [other, own],
  ] as const) {
    await until(() => {
      from.publish('hello', 'x', 1)
      return (into?.length ?? 0) > 0
    })
  }
  await until(async () => (await one.load(10)).length === 0)
  received?.splice(0)
  own?.splice(0)
  return { one, other, received: received ?? [], own: own ?? [] }
}

test('an entry reaches the other balancers, not its publisher', async () => {
  const { one, other, received, own } = await pair(server.url)
  one.publish('session', 'slot 3', 60_000)
  await until(() => received.some(({ key }) => key === 'session'))
  assert.equal(
    received.filter(({ key }) => key === 'session'),
    [{ key: 'session', value: 'slot 3', ttlMs: 60_000 }],
  )
  other.publish('another', 'slot 4', 60_000)
  await until(() => own.some(({ key }) => key === 'another'))
  assert.not.ok(own.some(({ key }) => key === 'session'))
})

test('a balancer that starts later loads the entries, those that expire last first', async () => {
  const { one, received } = await pair(server.url)
  for (let index = 0; index < 1200; index++) {
    one.publish(`key-${index}`, `value-${index}`, 60_000 + index * 100)
    if (index % 400 === 399) await until(() => received.length === index + 1)
  }
  const late = openSharedTable({ ...sessionDefaults, url: server.url }, 'learned')
  open.push(late)
  const few = await late.load(3)
  assert.equal(
    few.map(({ key }) => key),
    ['key-1199', 'key-1198', 'key-1197'],
  )
  assert.ok(few.every(({ value, ttlMs }) => value.startsWith('value-') && ttlMs > 60_000))
  assert.is((await late.load(10_000)).length, 1200)
  const another = openSharedTable({ ...sessionDefaults, url: server.url }, 'other')
  open.push(another)
  assert.equal(await another.load(10), [])
})

test('keeps at most maxEntries, those that expire last, and no expired ones', async () => {
  const { one, received } = await pair(server.url, 50)
  for (let index = 0; index < 200; index++) one.publish(`key-${index}`, 'x', 60_000 + index)
  await until(() => received.length === 200)
  assert.is(await server.command('HLEN', '{switchyard:learned}:values'), 50)
  assert.is(await server.command('ZCARD', '{switchyard:learned}:ends'), 50)
  assert.is((await one.load(1))[0]?.key, 'key-199')
  await server.command('FLUSHALL')
  one.publish('short', 'x', 1)
  await until(async () => (await one.load(10)).length === 0)
})

test('entries that are too long and foreign messages are ignored', async () => {
  const { one, received } = await pair(server.url)
  one.publish('k'.repeat(2000), 'x', 60_000)
  one.publish('k', 'x'.repeat(2000), 60_000)
  for (const message of ['', '{}', '[]', 'null', '["x",1,2,3]', '["x","k","v","1"]'])
    await server.command('PUBLISH', '{switchyard:learned}:said', message)
  one.publish('end', 'x', 60_000)
  await until(() => received.length > 0)
  assert.equal(
    received.map(({ key }) => key),
    ['end'],
  )
})

test('without Redis it does nothing and throws nothing, and works when Redis starts', async () => {
  const port = await freePort()
  const faults: unknown[] = []
  const settings = { ...sessionDefaults, url: `redis://127.0.0.1:${port}`, commandTimeoutMs: 100 }
  const table = openSharedTable(settings, 'learned', { onFault: (error) => faults.push(error) })
  open.push(table)
  table.publish('key', 'value', 60_000)
  assert.equal(await table.load(10), [])
  const late = await startRedis({ port })
  await until(async () => {
    table.publish('key', 'value', 60_000)
    return (await table.load(10)).length === 1
  })
  assert.equal(faults, [])
  await late.stop()
})

test('after an interruption all entries in Redis are received', async () => {
  const { one, other, received } = await pair(server.url)
  one.publish('early', 'x', 60_000)
  await until(() => received.length === 1)
  received.splice(0)
  await server.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
  await until(() => received.some(({ key }) => key === 'early'))
  assert.ok(other)
})

test('an invalid url calls onFault once', async () => {
  const faults: Error[] = []
  const table = openSharedTable({ ...sessionDefaults, url: 'nonsense' }, 'learned', { onFault: (error) => faults.push(error as Error) })
  open.push(table)
  table.publish('key', 'value', 1)
  assert.equal(await table.load(1), [])
  assert.match(faults[0]?.message ?? '', 'sessions.url')
})

test(
  'in a cluster too',
  async () => {
    const cluster = await startCluster()
    const { one, received } = await pair(cluster.url)
    one.publish('session', 'slot 3', 60_000)
    await until(() => received.some(({ key }) => key === 'session'))
    assert.is((await one.load(10))[0]?.value, 'slot 3')
  },
  { timeoutMs: 15_000 },
)

test.run()
