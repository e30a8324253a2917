// Sessions that many change at the same time, over four workers and two balancers: nothing is lost, and what has ended stays so. Where whole sessions are read and written back
// a lot is lost by the same clients, so they would find it.

import { assert, suite } from '../../../../test/suite.ts'
import { type RedisServer, startRedis } from '../../../../test/support/redis-servers.ts'
import { countAtOnce } from './support/counting-run.ts'
import { endWhileOthersSave } from './support/logout-run.ts'
import { placesOfSessions, SessionBalancers } from './support/session-balancers.ts'

const test = suite('sessions, concurrency', { timeoutMs: 60_000 })

const CLIENTS = 64
const INCREMENTS = 32
const ROUNDS = 500
const FEW_ROUNDS = 50
const SEED = 1

let redis: RedisServer
let balancers: SessionBalancers

const start = async (app: string, url: string | undefined, count: number): Promise<void> => {
  balancers = await SessionBalancers.start({ app, url, balancers: count }, CLIENTS)
}

test.before(async () => {
  redis = await startRedis()
})

for (const { name, inRedis, balancers: count } of placesOfSessions) {
  test(`${name}: of increments of ${CLIENTS} clients in 10 sessions none is lost`, async () => {
    await start('updating-app.mjs', inRedis ? redis.url : undefined, count)
    const { faults, increments, lost, sharedCounts, workers } = await countAtOnce(balancers, INCREMENTS)
    assert.equal(faults, [])
    assert.equal({ increments, lost, sharedCounts }, { increments: CLIENTS * INCREMENTS, lost: 0, sharedCounts: 0 })
    assert.is(workers, balancers.workers)
  })

  test(`${name}: of ${ROUNDS} visitors who log out while slow requests of theirs save, none comes back`, async () => {
    const { faults, rounds, saves, kept, cameBack } = await endWhileOthersSave(balancers, ROUNDS, SEED)
    assert.equal(faults, [])
    assert.equal({ rounds, cameBack }, { rounds: ROUNDS, cameBack: 0 })
    assert.ok(kept > 0 && kept < saves, `${kept} of ${saves} saves came before the end`)
    assert.equal(await balancers.stop(), [])
  })
}

test('with express-session, and a store that reads and writes whole sessions, increments are lost', async () => {
  await start('replacing-app.mjs', redis.url, 1)
  const { faults, increments, lost, sharedCounts } = await countAtOnce(balancers, INCREMENTS)
  assert.equal(faults, [])
  assert.is(increments, CLIENTS * INCREMENTS)
  assert.ok(lost > 0 && sharedCounts > 0, `${lost} lost, ${sharedCounts} shared`)
  console.log(`  of ${increments} increments ${lost} were lost`)
})

test('and visitors come back', async () => {
  const { faults, rounds, cameBack } = await endWhileOthersSave(balancers, FEW_ROUNDS, SEED)
  assert.equal(faults, [])
  assert.ok(cameBack > 0)
  console.log(`  of ${rounds} visitors ${cameBack} came back`)
  assert.equal(await balancers.stop(), [])
})

test.run()
