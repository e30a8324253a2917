// Redis is killed, hangs, is full or read-only, each under load: commands end in time, no acknowledged write is lost, and the store
// recovers by itself.

import { assert, suite } from '../../../../test/suite.ts'
import { type RedisServer, startDurableRedis, startRedis } from '../../../../test/support/redis-servers.ts'
import { until } from '../../../../test/support/until.ts'
import { openRedisStore, type RedisStore } from '../../src/redis/redis-store.ts'
import { sessionDefaults } from '../../src/session-settings.ts'
import { SessionStoreError } from '../../src/session-store.ts'
import { SessionLoad } from './session-load.ts'

const test = suite('redis outages', { timeoutMs: 8_000 })
const IDS = Array.from({ length: 8 }, (_, index) => `session-${index}`)
const commandTimeoutMs = 300
let stores: RedisStore[] = []

test.after.each(async () => {
  for (const store of stores.splice(0)) await store.close()
})

/** The stores of two workers. */
async function begin(server: RedisServer): Promise<SessionLoad> {
  const settings = { ...sessionDefaults, url: server.url, commandTimeoutMs, breaker: { failures: 5, openMs: 200 } }
  stores = [await openRedisStore(settings), await openRedisStore(settings)]
  return new SessionLoad({ stores, ids: IDS, clients: 16, commandTimeoutMs })
}

const more = async (load: SessionLoad, count: number): Promise<void> => {
  const enough = load.counts.acknowledged + count
  await until(() => load.counts.acknowledged >= enough, 10_000, `${count} more increments`)
}
const untilState = (state: 'up' | 'down') => until(() => stores.every((store) => store.status().state === state), 10_000, state)

test('kill -9', async () => {
  const server = await startDurableRedis()
  const load = await begin(server)
  for (let round = 0; round < 3; round++) {
    await more(load, 100)
    await server.kill()
    await untilState('down')
    const failed = load.counts.failed
    await until(() => load.counts.failed > failed + 50, 10_000, 'failures')
    await server.restart()
    await untilState('up')
  }
  await more(load, 100)
  await load.stop()
  await load.check()
  await server.stop()
})

test('SIGSTOP', async () => {
  const server = await startRedis()
  const load = await begin(server)
  for (let round = 0; round < 3; round++) {
    await more(load, 200)
    server.pause()
    await untilState('down')
    const failed = load.counts.failed
    await until(() => load.counts.failed > failed + 50, 10_000, 'failures')
    server.resume()
    await untilState('up')
  }
  await more(load, 200)
  await load.stop()
  await load.check()
  await server.stop()
})

test('while the breaker is open no command waits', async () => {
  const server = await startRedis()
  const load = await begin(server)
  await more(load, 10)
  server.pause()
  await untilState('down')
  await load.stop()
  const [store] = stores
  // The one command that tries takes a while. The others are refused within this turn of the event loop.
  const startupCheck = until(() =>
    store
      ?.read('session-0')
      .then(Boolean, (error: Error) => error.message.includes('no answer') || error.message.includes('no connection')),
  )
  await startupCheck
  let isRefused = false
  void store?.read('session-0').catch(() => {
    isRefused = true
  })
  await new Promise((resolve) => setImmediate(resolve))
  assert.ok(isRefused)
  server.resume()
  await untilState('up')
  await load.check()
  await server.stop()
})

test('a connection that receives nothing is made again', async () => {
  const server = await startRedis()
  const load = await begin(server)
  await more(load, 10)
  const idsOf = async (): Promise<string[]> => String(await server.command('CLIENT', 'LIST')).match(/^id=\d+(?=.*name=switchyard)/gm) ?? []
  const before = await idsOf()
  assert.is(before.length, 2)
  const lost = stores.map(({ client }) => new Promise((resolve) => client.once('close', () => resolve(undefined))))
  server.pause()
  await Promise.all(lost)
  server.resume()
  await untilState('up')
  await load.stop()
  const after = await idsOf()
  assert.is(after.length, 2)
  assert.not.ok(after.some((id) => before.includes(id)))
  await load.check()
  await server.stop()
})

test('full: writes fail at once, sessions can be read and destroyed, and the store stays up', async () => {
  const server = await startRedis({ 'maxmemory-policy': 'noeviction' })
  const load = await begin(server)
  await more(load, 100)
  await server.command('CONFIG', 'SET', 'maxmemory', 1)
  const failed = load.counts.failed
  await until(() => load.counts.failed > failed + 100, 10_000, 'failures')
  const [store] = stores as [RedisStore]
  assert.is((await store.read('session-0')).state, 'kept')
  const fault = await store.write('session-0', '0', 60_000).catch((error) => error)
  assert.instance(fault, SessionStoreError)
  assert.match(fault.message, 'OOM')
  assert.ok(await store.touch('session-0', 600_000))
  await load.stop()
  assert.ok(await store.destroy('session-7'))
  assert.is((await store.read('session-7')).state, 'ended')
  assert.is(store.status().state, 'up')
  await server.command('CONFIG', 'SET', 'maxmemory', 0)
  assert.is((await store.write('session-7', '0', 60_000)).state, 'ended')
  assert.is((await store.write('other', '0', 60_000)).state, 'written')
  assert.is(load.counts.late, 0)
  await server.stop()
})

test('read-only: writes fail, and succeed when the server takes writes again', async () => {
  const server = await startRedis()
  const load = await begin(server)
  await more(load, 100)
  await server.command('REPLICAOF', '127.0.0.1', 1)
  const failed = load.counts.failed
  await until(() => load.counts.failed > failed + 100, 10_000, 'failures')
  const [store] = stores as [RedisStore]
  await until(
    () =>
      store.read('session-0').then(
        (found) => found.state === 'kept',
        () => false,
      ),
    5_000,
    'a read',
  )
  await server.command('REPLICAOF', 'NO', 'ONE')
  await more(load, 100)
  await load.stop()
  await load.check()
  await server.stop()
})

test.run()
