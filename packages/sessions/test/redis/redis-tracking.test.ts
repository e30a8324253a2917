// What a worker hears of what others write, in time for what it keeps.

import { assert, suite } from '../../../../test/suite.ts'
import { type RedisServer, startRedis } from '../../../../test/support/redis-servers.ts'
import { until } from '../../../../test/support/until.ts'
import { openRedisStore, type RedisStore } from '../../src/redis/redis-store.ts'
import { sessionDefaults } from '../../src/session-settings.ts'

const test = suite('redis tracking', { timeoutMs: 5_000 })
let server: RedisServer
let near: RedisStore
let far: RedisStore
/** What `near` has heard; undefined: anything may have changed. */
let heard: (string | undefined)[] = []
let isHearing: boolean | undefined

test.before(async () => {
  server = await startRedis()
  const settings = { ...sessionDefaults, url: server.url, commandTimeoutMs: 5_000 }
  ;[near, far] = [await openRedisStore(settings), await openRedisStore(settings)]
  const noteHearing = (hears: boolean): void => {
    isHearing = hears
  }
  assert.ok(near.onChanged((id) => heard.push(id), noteHearing))
  assert.is(isHearing, false)
  await until(() => isHearing)
})

test.after(async () => {
  await near.close()
  await far.close()
})

test.before.each(async () => {
  await far.clear()
  await far.write('marker', '{}', 60_000)
})

const changes: readonly [what: string, change: () => Promise<unknown>][] = [
  ['writes', () => far.write('one', '2', 60_000)],
  ['touches', () => far.touch('one', 90_000)],
  ['destroys', () => far.destroy('one')],
  ['forgets', () => far.clear()],
]

for (const [what, change] of changes) {
  test(`hears of what it has read when another ${what} it`, async () => {
    await far.write('one', '1', 60_000)
    await near.read('one')
    await hears('one', change)
  })

  test(`hears of what it has written itself when another ${what} it`, async () => {
    await near.write('one', '1', 60_000)
    await hears('one', change)
  })

  test(`hears of what it has touched itself when another ${what} it`, async () => {
    await far.write('one', '1', 60_000)
    await near.touch('one', 80_000)
    await hears('one', change)
  })
}

test('hears of a session that it has asked for in vain', async () => {
  await near.read('one')
  await hears('one', () => far.write('one', '1', 60_000))
})

test('does not hear of its own writes, nor of what it has not read', async () => {
  await near.read('marker')
  heard = []
  await near.write('one', '1', 60_000)
  await near.write('one', '2', 60_000)
  await far.write('two', '1', 60_000)
  await far.write('marker', '1', 60_000)
  await until(() => heard.length > 0, 2_000, 'word of the marker')
  assert.equal(heard, ['marker'])
})

for (const kind of ['pubsub', 'normal']) {
  test(`when its ${kind} connection is lost it says that it does not hear and that anything may have changed, and hears again later`, async () => {
    const lost = new Promise((resolve) => near.client.once('close', () => resolve(undefined)))
    heard = []
    isHearing = undefined
    await server.command('CLIENT', 'KILL', 'TYPE', kind)
    await until(() => isHearing === false, 2_000, 'that it does not hear')
    assert.ok(heard.includes(undefined))
    if (kind === 'normal') await lost
    await until(() => isHearing === true, 5_000, 'that it hears')
    await near.read('one')
    await hears('one', () => far.write('one', '1', 60_000))
  })
}

/** `near` has what it wants to hear of; then it hears of the change. */
async function hears(id: string, change: () => Promise<unknown>): Promise<void> {
  heard = []
  await change()
  await until(() => heard.length > 0, 2_000, `word of ${id}`)
  assert.ok(heard.includes(id))
}

test.run()
