// Redis reports the changes of other clients, before the cache may use an outdated session.

import { assert, suite } from '../../../../test/suite.ts'
import { type RedisServer, startRedis } from '../../../../test/support/redis-servers.ts'
import { until } from '../../../../test/support/until.ts'
import { openRedisStore, type RedisStore } from '../../src/redis/redis-store.ts'
import { sessionDefaults } from '../../src/session-settings.ts'

const test = suite('redis tracking', { timeoutMs: 5_000 })
let server: RedisServer
let near: RedisStore
let far: RedisStore
/** The changes that were reported to `near`. undefined: any session may have changed. */
let reported: (string | undefined)[] = []
let isReporting: boolean | undefined

test.before(async () => {
  server = await startRedis()
  const settings = { ...sessionDefaults, url: server.url, commandTimeoutMs: 5_000 }
  ;[near, far] = [await openRedisStore(settings), await openRedisStore(settings)]
  const recordListening = (isListening: boolean): void => {
    isReporting = isListening
  }
  assert.ok(near.onChanged((id) => reported.push(id), recordListening))
  assert.is(isReporting, false)
  await until(() => isReporting)
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
  test(`reports a session that was read here when another client ${what} it`, async () => {
    await far.write('one', '1', 60_000)
    await near.read('one')
    await isReported('one', change)
  })

  test(`reports a session that was written here when another client ${what} it`, async () => {
    await near.write('one', '1', 60_000)
    await isReported('one', change)
  })

  test(`reports a session that was touched here when another client ${what} it`, async () => {
    await far.write('one', '1', 60_000)
    await near.touch('one', 80_000)
    await isReported('one', change)
  })
}

test('reports a session that was read here and did not exist', async () => {
  await near.read('one')
  await isReported('one', () => far.write('one', '1', 60_000))
})

test('does not report own writes, nor sessions that were not read here', async () => {
  await near.read('marker')
  reported = []
  await near.write('one', '1', 60_000)
  await near.write('one', '2', 60_000)
  await far.write('two', '1', 60_000)
  await far.write('marker', '1', 60_000)
  await until(() => reported.length > 0, 2_000, 'the report of the marker')
  assert.equal(reported, ['marker'])
})

for (const kind of ['pubsub', 'normal']) {
  test(`after the ${kind} connection is lost reports stop, any session may have changed, and reports start again`, async () => {
    const lost = new Promise((resolve) => near.client.once('close', () => resolve(undefined)))
    reported = []
    isReporting = undefined
    await server.command('CLIENT', 'KILL', 'TYPE', kind)
    await until(() => isReporting === false, 2_000, 'the end of the reports')
    assert.ok(reported.includes(undefined))
    if (kind === 'normal') await lost
    await until(() => isReporting === true, 5_000, 'reports of changes')
    await near.read('one')
    await isReported('one', () => far.write('one', '1', 60_000))
  })
}

/** Makes the change and waits for its report to `near`. */
async function isReported(id: string, change: () => Promise<unknown>): Promise<void> {
  reported = []
  await change()
  await until(() => reported.length > 0, 2_000, `the report of ${id}`)
  assert.ok(reported.includes(id))
}

test.run()
