// Sessions on a real Redis: no update is lost between workers, a destroyed session stays destroyed, cached reads cost no round trip, and
// outages go by onOutage.

import { setTimeout as sleep } from 'node:timers/promises'
import { assert, suite } from '../../../../test/suite.ts'
import { seededRandom } from '../../../../test/support/random.ts'
import { type RedisServer, startRedis } from '../../../../test/support/redis-servers.ts'
import { until } from '../../../../test/support/until.ts'
import { openRedisStore, type RedisStore } from '../../src/redis/redis-store.ts'
import { type SessionSettings, sessionDefaults } from '../../src/session-settings.ts'
import { SessionStoreError } from '../../src/session-store.ts'
import { type Sessions, sessionsOn } from '../../src/sessions.ts'

const test = suite('redis sessions', { timeoutMs: 8_000 })
const secrets = [Buffer.alloc(32, 1).toString('base64url')]
const random = seededRandom(6)
let server: RedisServer
let stores: RedisStore[] = []

test.before(async () => {
  server = await startRedis()
})
test.after.each(async () => {
  for (const store of stores.splice(0)) await store.close()
})

/** Sessions of several workers. */
async function open(workers: number, more: Partial<SessionSettings> = {}): Promise<Sessions<{ count: number }>[]> {
  const settings = { ...sessionDefaults, url: server.url, secrets, commandTimeoutMs: 5_000, ...more }
  stores = await Promise.all(Array.from({ length: workers }, () => openRedisStore(settings)))
  return stores.map((store) => sessionsOn<{ count: number }>(store, settings))
}

for (const nearCache of [undefined, sessionDefaults.nearCache]) {
  test(`64 clients at four workers count ten sessions up ${nearCache ? 'with' : 'without'} a near cache: no increment is lost`, async () => {
    const workers = (await open(4, { nearCache, updateAttempts: 1000 })) as [Sessions<{ count: number }>]
    const ids = Array.from({ length: 10 }, () => workers[0].newId())
    const increments = 25
    await Promise.all(
      Array.from({ length: 64 }, async (_, client) => {
        const worker = workers[client % workers.length]
        for (let turn = 0; turn < increments; turn++)
          await worker?.update(ids[(client + turn) % ids.length] as string, (value) => ({ count: (value?.count ?? 0) + 1 }))
      }),
    )
    const counted = async (): Promise<number> => {
      const counts = await Promise.all(ids.map((id) => workers[0].get(id)))
      return counts.reduce((sum, value) => sum + (value?.count ?? 0), 0)
    }
    // A cached value may be outdated for a moment.
    if (nearCache) await until(async () => (await counted()) === 64 * increments, nearCache.maxAgeMs, 'every increment')
    assert.is(await counted(), 64 * increments)
  })
}

test('a request that saves late does not bring back a session that was logged out elsewhere', async () => {
  const [one, other] = (await open(2)) as [Sessions<{ count: number }>, Sessions<{ count: number }>]
  await one.clear()
  await Promise.all(
    Array.from({ length: 300 }, async () => {
      const id = one.newId()
      await one.set(id, { count: 1 })
      const late = async (): Promise<void> => {
        const value = await one.get(id)
        if (random() < 0.5) await sleep(random() * 5)
        if (value === undefined) return
        if (random() < 0.5) await one.set(id, { count: 2 })
        else await one.update(id, (current) => current && { count: current.count + 1 })
      }
      await Promise.all([late(), late(), other.destroy(id), late()])
      await late()
      assert.is(await one.get(id), undefined)
      assert.is(await other.get(id), undefined)
    }),
  )
  assert.equal(await one.all(10_000), [])
})

test('a cached session is read without a round trip until another worker writes it', async () => {
  const [one, other] = (await open(2, { nearCache: { maxEntries: 100, maxAgeMs: 600_000 } })) as [
    Sessions<{ count: number }>,
    Sessions<{ count: number }>,
  ]
  const id = one.newId()
  await one.set(id, { count: 1 })
  await until(async () => {
    const { commands } = one.status()
    assert.equal(await one.get(id), { count: 1 })
    return one.status().commands === commands
  })
  const before = one.status().commands
  for (let turn = 0; turn < 100; turn++) assert.equal(await one.get(id), { count: 1 })
  assert.is(one.status().commands, before)
  await other.update(id, (value) => ({ count: (value?.count ?? 0) + 1 }))
  await until(async () => (await one.get(id))?.count === 2)
  await other.destroy(id)
  await until(async () => (await one.get(id)) === undefined)
})

for (const onOutage of ['fail', 'read-cached', 'anonymous'] as const) {
  test(`while Redis is down: ${onOutage}`, async () => {
    const settings = { onOutage, commandTimeoutMs: 200, breaker: { failures: 3, openMs: 100 } }
    const [one] = (await open(1, settings)) as [Sessions<{ count: number }>]
    const [seen, unseen] = [one.newId(), one.newId()]
    await one.set(seen, { count: 1 })
    await server.kill()
    await until(() => one.status().state === 'down')
    const found = await Promise.all([seen, unseen].map((id) => one.get(id).catch((error) => error)))
    if (onOutage === 'anonymous') assert.equal(found, [undefined, undefined])
    else {
      if (onOutage === 'read-cached') assert.equal(found.shift(), { count: 1 })
      for (const fault of found) assert.instance(fault, SessionStoreError)
    }
    // No write resolves.
    assert.instance(await one.set(seen, { count: 2 }).catch((error) => error), SessionStoreError)
    await server.restart()
    await until(() => one.status().state === 'up')
    assert.is(await one.set(seen, { count: 3 }), true)
    assert.equal(await one.get(seen), { count: 3 })
  })
}

test.run()
