// A table that balancers share: what one learns the others hear, and those that start later find.

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

/** Two that hear each other, and what each has heard. */
async function pair(
  url: string,
  maxEntries?: number,
): Promise<{ one: SharedTable; other: SharedTable; heard: SharedEntry[]; own: SharedEntry[] }> {
  const settings = { ...sessionDefaults, url }
  const options = maxEntries === undefined ? {} : { maxEntries }
  const [one, other] = [openSharedTable(settings, 'learned', options), openSharedTable(settings, 'learned', options)]
  open.push(one, other)
  const [heard, own]: SharedEntry[][] = [[], []]
  other.onChange((entry) => heard?.push(entry))
  one.onChange((entry) => own?.push(entry))
  for (const [from, into] of [
    [one, heard],
    [other, own],
  ] as const) {
    await until(() => {
      from.publish('hello', 'x', 1)
      return (into?.length ?? 0) > 0
    })
  }
  await until(async () => (await one.load(10)).length === 0)
  heard?.splice(0)
  own?.splice(0)
  return { one, other, heard: heard ?? [], own: own ?? [] }
}

test('the others hear of it, the one that says it does not', async () => {
  const { one, other, heard, own } = await pair(server.url)
  one.publish('session', 'slot 3', 60_000)
  await until(() => heard.some(({ key }) => key === 'session'))
  assert.equal(
    heard.filter(({ key }) => key === 'session'),
    [{ key: 'session', value: 'slot 3', ttlMs: 60_000 }],
  )
  other.publish('another', 'slot 4', 60_000)
  await until(() => own.some(({ key }) => key === 'another'))
  assert.not.ok(own.some(({ key }) => key === 'session'))
})

test('who starts later loads what is kept, those that last longest first', async () => {
  const { one, heard } = await pair(server.url)
  for (let index = 0; index < 1200; index++) {
    one.publish(`key-${index}`, `value-${index}`, 60_000 + index * 100)
    if (index % 400 === 399) await until(() => heard.length === index + 1)
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
  const stranger = openSharedTable({ ...sessionDefaults, url: server.url }, 'other')
  open.push(stranger)
  assert.equal(await stranger.load(10), [])
})

test('keeps no more than it may, the newest, and nothing beyond its time', async () => {
  const { one, heard } = await pair(server.url, 50)
  for (let index = 0; index < 200; index++) one.publish(`key-${index}`, 'x', 60_000 + index)
  await until(() => heard.length === 200)
  assert.is(await server.command('HLEN', '{switchyard:learned}:values'), 50)
  assert.is(await server.command('ZCARD', '{switchyard:learned}:ends'), 50)
  assert.is((await one.load(1))[0]?.key, 'key-199')
  await server.command('FLUSHALL')
  one.publish('short', 'x', 1)
  await until(async () => (await one.load(10)).length === 0)
})

test('what is too long, or is no message of ours, is nobody’s', async () => {
  const { one, heard } = await pair(server.url)
  one.publish('k'.repeat(2000), 'x', 60_000)
  one.publish('k', 'x'.repeat(2000), 60_000)
  for (const said of ['', '{}', '[]', 'null', '["x",1,2,3]', '["x","k","v","1"]'])
    await server.command('PUBLISH', '{switchyard:learned}:said', said)
  one.publish('end', 'x', 60_000)
  await until(() => heard.length > 0)
  assert.equal(
    heard.map(({ key }) => key),
    ['end'],
  )
})

test('without Redis it does nothing, throws nothing, and works when there is one', async () => {
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

test('after it could not hear for a while it hears of what is kept', async () => {
  const { one, other, heard } = await pair(server.url)
  one.publish('early', 'x', 60_000)
  await until(() => heard.length === 1)
  heard.splice(0)
  await server.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
  await until(() => heard.some(({ key }) => key === 'early'))
  assert.ok(other)
})

test('a url that can not be read is told once', async () => {
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
    const { one, heard } = await pair(cluster.url)
    one.publish('session', 'slot 3', 60_000)
    await until(() => heard.some(({ key }) => key === 'session'))
    assert.is((await one.load(10))[0]?.value, 'slot 3')
  },
  { timeoutMs: 15_000 },
)

test.run()
