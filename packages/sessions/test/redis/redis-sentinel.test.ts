// A master dies under load and sentinels name another: writes go on there, by themselves.

import { assert, suite } from '../../../../test/suite.ts'
import { type SentinelTrio, startSentinels } from '../../../../test/support/redis-servers.ts'
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

test('the master is killed: another is found, and what was acknowledged and replicated is there', async () => {
  const heard: (string | undefined)[] = []
  let isHearing = false
  const noteHearing = (hears: boolean): void => {
    isHearing = hears
  }
  assert.ok(store.onChanged((id) => heard.push(id), noteHearing))
  const ids = ['one', 'two', 'three', 'four']
  const before = new SessionLoad({ stores: [store, other], ids, clients: 8, commandTimeoutMs })
  await until(() => before.counts.acknowledged > 200, 10_000, 'increments')
  await before.stop()
  await before.check()
  // What a replica has is what Redis promises to keep.
  assert.is(await trio.master.command('WAIT', 1, 5000), 1)
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
  assert.ok((await total()) >= kept + during.counts.acknowledged - lastOfOld)
  assert.is(((await trio.replica.command('ROLE')) as string[])[0], 'master')

  // It hears what others write there.
  await until(() => isHearing && other.status().state === 'up', 10_000, 'that it hears')
  await store.read('one')
  heard.splice(0)
  await other.write('one', '0', 60_000)
  await until(() => heard.includes('one'), 5_000, 'word of it')
})

test.run()
