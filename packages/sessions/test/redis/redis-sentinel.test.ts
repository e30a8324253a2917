// The master is killed under load and sentinels promote a replica: writes continue there without intervention.

import { assert, suite } from '../../../../test/suite.ts'
import { type RedisServer, type SentinelTrio, startSentinels } from '../../../../test/support/redis-servers.ts'
import { until } from '../../../../test/support/until.ts'
import { openRedisStore, type RedisStore } from '../../src/redis/redis-store.ts'
import { sessionDefaults } from '../../src/session-settings.ts'
import { SessionLoad } from './session-load.ts'

const test = suite('redis sentinel', { timeoutMs: 30_000 })
const commandTimeoutMs = 300
let trio: SentinelTrio
let store: RedisStore
let other: RedisStore

test.before(async () => {
  trio = await startSentinels()
  const settings = { ...sessionDefaults, url: trio.url, commandTimeoutMs, breaker: { failures: 5, openMs: 200 } }
  ;[store, other] = [await openRedisStore(settings), await openRedisStore(settings)]
})
test.after(async () => {
  await store.close()
  await other.close()
})

/** How far a server has come in the stream of writes. */
async function offsetOf(server: RedisServer): Promise<number> {
  return Number(/master_repl_offset:(\d+)/.exec(String(await server.command('INFO', 'replication')))?.[1])
}

test('the master is killed: the new one is found, and all acknowledged and replicated writes are there', async () => {
  const reported: (string | undefined)[] = []
  let isReporting = false
  const recordListening = (isListening: boolean): void => {
    isReporting = isListening
  }
  assert.ok(store.onChanged((id) => reported.push(id), recordListening))
  const ids = ['one', 'two', 'three', 'four']
  const before = new SessionLoad({ stores: [store, other], ids, clients: 8, commandTimeoutMs })
  await until(() => before.counts.acknowledged > 200, 10_000, 'increments')
  await before.stop()
  await before.check()
  // Redis promises to keep only what a replica has. WAIT would count only the writes of its own connection.
  const written = await offsetOf(trio.master)
  await until(async () => (await offsetOf(trio.replica)) >= written, 5_000, 'a replica with all writes')
  const total = async (): Promise<number> => {
    const found = await Promise.all(ids.map((id) => other.read(id)))
    return found.reduce((sum, each) => sum + (each.state === 'kept' ? Number(each.text) : Number.NaN), 0)
  }
  const kept = await total()

  const during = new SessionLoad({ stores: [store, other], ids, clients: 8, commandTimeoutMs })
  await trio.master.kill()
  await until(() => store.status().state === 'down' && other.status().state === 'down', 10_000, 'down')
  const lastOfOld = during.counts.acknowledged
  const bothAreUp = () => store.status().state === 'up' && other.status().state === 'up'
  await until(() => during.counts.acknowledged > lastOfOld + 200 && bothAreUp(), 20_000, 'increments on the new master')
  await during.stop()
  assert.is(during.counts.late, 0)
  const [now, least] = [await total(), kept + during.counts.acknowledged - lastOfOld]
  assert.ok(now >= least, `${now} increments of at least ${least}`)
  assert.is(((await trio.replica.command('ROLE')) as string[])[0], 'master')

  // Changes on the new master are reported.
  await until(() => isReporting && other.status().state === 'up', 10_000, 'reports of changes')
  await store.read('one')
  reported.splice(0)
  await other.write('one', '0', 60_000)
  await until(() => reported.includes('one'), 5_000, 'the report of a change')
})

test.run()
