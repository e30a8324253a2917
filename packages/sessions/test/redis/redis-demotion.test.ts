// Sentinels promote a replica while the old master runs on as its replica: writes find the new master.

import { assert, suite } from '../../../../test/suite.ts'
import { startSentinels } from '../../../../test/support/redis-servers.ts'
import { until } from '../../../../test/support/until.ts'
import { openRedisStore } from '../../src/redis/redis-store.ts'
import { sessionDefaults } from '../../src/session-settings.ts'
import { SessionLoad } from './session-load.ts'

const test = suite('redis demotion', { timeoutMs: 30_000 })
const commandTimeoutMs = 300

test('a master that becomes a replica under load', async () => {
  const { url, master, replica, failOver } = await startSentinels()
  const store = await openRedisStore({ ...sessionDefaults, url, commandTimeoutMs, breaker: { failures: 5, openMs: 200 } })
  const load = new SessionLoad({ stores: [store], ids: ['one', 'two'], clients: 4, commandTimeoutMs })
  await until(() => load.counts.acknowledged > 100, 10_000, 'increments')
  await failOver()
  // A server that becomes a replica drops the blocked commands of its clients, this one included.
  const roleOf = async (server: typeof master): Promise<string> => {
    const [role] = (await server.command('ROLE').catch(() => [])) as string[]
    return String(role)
  }
  await until(async () => (await roleOf(replica)) === 'master' && (await roleOf(master)) === 'slave', 15_000, 'the other master')
  const enough = load.counts.acknowledged + 200
  await until(() => load.counts.acknowledged > enough, 10_000, 'increments')
  await load.stop()
  assert.is(load.counts.late, 0)
  assert.is(store.status().state, 'up')
  assert.ok(String(await replica.command('HGET', '{switchyard:one}', 'v')).length > 0)
  await store.close()
})

test.run()
