// The parts of the Redis store that the contract of session stores does not cover.

import { assert, suite } from '../../../../test/suite.ts'
import { freePort } from '../../../../test/support/ports.ts'
import { type RedisServer, startRedis } from '../../../../test/support/redis-servers.ts'
import { until } from '../../../../test/support/until.ts'
import type { RedisClient } from '../../src/redis/redis-connection.ts'
import { openRedisStore, type RedisStore } from '../../src/redis/redis-store.ts'
import { type SessionSettings, sessionDefaults } from '../../src/session-settings.ts'
import { SessionStoreError } from '../../src/session-store.ts'

const test = suite('redis store', { timeoutMs: 5_000 })
let server: RedisServer
const open: RedisStore[] = []

test.before(async () => {
  server = await startRedis()
})
test.before.each(() => server.command('FLUSHALL'))
test.after.each(async () => {
  for (const store of open.splice(0)) await store.close()
})

async function opened(settings: Partial<SessionSettings> = {}): Promise<RedisStore> {
  const store = await openRedisStore({ ...sessionDefaults, url: server.url, commandTimeoutMs: 5_000, ...settings })
  open.push(store)
  return store
}

test('a session is one hash with a time to live, under a key that is all hash tag', async () => {
  const store = await opened({ keyPrefix: 'shop' })
  const written = await store.write('abc', '{"a":1}', 60_000)
  assert.equal(await server.command('KEYS', '*'), ['{shop:abc}'])
  assert.is(await server.command('HGET', '{shop:abc}', 'v'), '{"a":1}')
  assert.is(await server.command('HGET', '{shop:abc}', 'n'), String(written.state === 'written' && written.version))
  const ttlMs = Number(await server.command('PTTL', '{shop:abc}'))
  assert.ok(ttlMs > 50_000 && ttlMs <= 60_000)
  await store.destroy('abc')
  assert.equal(await server.command('HGETALL', '{shop:abc}'), ['d', '1'])
  assert.ok(Number(await server.command('PTTL', '{shop:abc}')) > sessionDefaults.tombstoneMs / 2)
})

test('a session that is written again after it expired has other versions', async () => {
  const store = await opened()
  const first = await store.write('abc', '1', 60_000)
  await server.command('DEL', '{switchyard:abc}')
  const second = await store.write('abc', '1', 60_000)
  assert.is(first.state, 'written')
  assert.is(second.state, 'written')
  assert.not.equal(first, second)
  const known = first.state === 'written' ? first.version : 0
  assert.is((await store.read('abc', known)).state, 'kept')
})

test('destroy with an expected version keeps a newer session', async () => {
  const store = await opened()
  const written = await store.write('abc', '1', 60_000)
  const version = written.state === 'written' ? written.version : 0
  assert.is(await store.destroy('abc', version + 1), 'conflict')
  assert.is((await store.read('abc')).state, 'kept')
  assert.is(await store.destroy('abc', version), true)
  assert.is(await store.destroy('abc', version), false)
  assert.is((await store.read('abc')).state, 'ended')
})

test('touches and reads do not send the text again', async () => {
  const store = await opened()
  const written = await store.write('abc', 'x'.repeat(50_000), 60_000)
  const sent = async (): Promise<number> => Number(/total_net_output_bytes:(\d+)/.exec(String(await server.command('INFO', 'stats')))?.[1])
  const before = await sent()
  const found = await store.read('abc', written.state === 'written' ? written.version : 0)
  assert.is(found.state, 'same')
  await store.touch('abc', 60_000)
  assert.ok((await sent()) - before < 20_000)
})

test('does not touch other keys, also similar ones', async () => {
  const store = await opened({ keyPrefix: 'a*b' })
  for (const key of ['{axb:1}', '{a*b:2}:more', 'x{a*b:3}', 'plain']) await server.command('SET', key, '1')
  await store.write('one', '1', 60_000)
  await store.write('two', '2', 60_000)
  await store.destroy('two')
  assert.equal(await store.ids(10), ['one'])
  await store.clear()
  assert.equal(((await server.command('KEYS', '*')) as string[]).sort(), ['plain', 'x{a*b:3}', '{a*b:2}:more', '{axb:1}'])
})

test('lists at most limit ids, each once', async () => {
  const store = await opened()
  await Promise.all(Array.from({ length: 3000 }, (_, index) => store.write(`id-${index}`, '1', 60_000)))
  assert.is((await store.ids(10)).length, 10)
  assert.is(new Set(await store.ids(10_000)).size, 3000)
})

test('scripts are sent again after SCRIPT FLUSH', async () => {
  const store = await opened()
  await store.write('abc', '1', 60_000)
  await server.command('SCRIPT', 'FLUSH')
  assert.is((await store.write('abc', '2', 60_000)).state, 'written')
  assert.is((await store.read('abc')).state, 'kept')
})

test('commands of one turn of the event loop go in one write, and each gets its own answer', async () => {
  const store = await opened()
  await store.write('warm', '1', 60_000)
  const reads = async (): Promise<number> => Number(/total_reads_processed:(\d+)/.exec(String(await server.command('INFO', 'stats')))?.[1])
  const before = await reads()
  await Promise.all(Array.from({ length: 100 }, (_, index) => store.write(`id-${index}`, String(index), 60_000)))
  assert.ok((await reads()) - before < 20)
  const found = await Promise.all(Array.from({ length: 100 }, (_, index) => store.read(`id-${index}`)))
  for (const [index, each] of found.entries()) assert.is(each.state === 'kept' && each.text, String(index))
})

test('counts commands, failed commands and their duration', async () => {
  const store = await opened()
  assert.equal(store.status(), { kind: 'redis', state: 'up', commands: 0, failed: 0, sumMs: 0 })
  await store.read('abc')
  const { commands, failed, sumMs } = store.status()
  assert.equal([commands, failed], [1, 0])
  assert.ok(sumMs > 0)
})

test('the store is down until Redis starts', async () => {
  const port = await freePort()
  const store = await opened({ url: `redis://127.0.0.1:${port}`, commandTimeoutMs: 100 })
  assert.is(store.status().state, 'down')
  const fault = await store.read('abc').catch((error) => error)
  assert.instance(fault, SessionStoreError)
  assert.is(fault.status, 503)
  assert.match(fault.message, 'Redis: ')
  const late = await startRedis({ port })
  await until(() => store.status().state === 'up')
  assert.equal(await store.read('abc'), { state: 'absent' })
  await late.stop()
})

test('a command without a connection waits for one within its time limit', async () => {
  const store = await opened({ commandTimeoutMs: 5_000 })
  await store.write('abc', '1', 60_000)
  await server.command('CLIENT', 'KILL', 'TYPE', 'normal')
  await until(() => store.status().state === 'down')
  assert.is((await store.read('abc')).state, 'kept')
})

test('the app can use the same client, and duplicate it for blocking commands', async () => {
  const store = await opened({ commandTimeoutMs: 100 })
  const client = store.client as Exclude<RedisClient, { slots: unknown }>
  assert.is(await client.set('own', '1'), 'OK')
  assert.is(await server.command('GET', 'own'), '1')
  const second = client.duplicate({ socketTimeout: undefined, enableOfflineQueue: true })
  const popped = second.blpop('list', 0)
  await until(async () => String(await server.command('CLIENT', 'LIST')).includes('cmd=blpop'))
  await new Promise((resolve) => setTimeout(resolve, 500))
  await server.command('RPUSH', 'list', 'late')
  assert.equal(await popped, ['list', 'late'])
  second.disconnect()
})

test('user, password and database of the url are used, and no error contains the password', async () => {
  const guarded = await startRedis({ requirepass: 'letmein' })
  const authority = `127.0.0.1:${guarded.port}`
  const store = await opened({ url: `redis://:letmein@${authority}/5` })
  assert.is((await store.write('abc', '1', 60_000)).state, 'written')
  const wrong = await opened({ url: `redis://:opensesame@${authority}`, commandTimeoutMs: 100 })
  const fault = await wrong.read('abc').catch((error) => error)
  assert.instance(fault, SessionStoreError)
  assert.match(fault.message, 'WRONGPASS')
  assert.not.match(fault.message, 'opensesame')
  await guarded.stop()
})

test('invalid settings are rejected at once', async () => {
  for (const [settings, fault] of [
    [{ url: 'http://127.0.0.1' }, 'sessions.url: expected'],
    [{ url: 'rediss://127.0.0.1', tls: { ca: '/nowhere/ca.pem' } }, 'ENOENT'],
  ] as const) {
    const error = await openRedisStore({ ...sessionDefaults, ...settings }).catch((thrown) => thrown)
    assert.match(error.message, fault)
  }
})

test('a closed store rejects commands, and can be closed twice', async () => {
  const store = await opened({ commandTimeoutMs: 100 })
  await store.close()
  await store.close()
  assert.instance(await store.read('abc').catch((error) => error), SessionStoreError)
})

test.run()
