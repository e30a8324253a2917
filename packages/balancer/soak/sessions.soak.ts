// The long form of e2e/sessions-concurrency.test.ts.

import { assert, suite } from '../../../test/suite.ts'
import { type RedisServer, startRedis } from '../../../test/support/redis-servers.ts'
import { countAtOnce } from '../test/e2e/support/counting-run.ts'
import { endWhileOthersSave } from '../test/e2e/support/logout-run.ts'
import { placesOfSessions, SessionBalancers } from '../test/e2e/support/session-balancers.ts'

const CLIENTS = 64
const INCREMENTS = 1_000
const ROUNDS = 10_000
const seed = Number(process.env.SEED ?? 1)
const test = suite(`sessions, seed ${seed}`, { timeoutMs: 10 * 60_000 })

let redis: RedisServer
let balancers: SessionBalancers

test.before(async () => {
  redis = await startRedis()
})

for (const { name, inRedis, balancers: count } of placesOfSessions) {
  test(`${name}: of ${INCREMENTS} increments of each of ${CLIENTS} clients in 10 sessions none is lost`, async () => {
    balancers = await SessionBalancers.start({ app: 'updating-app.mjs', url: inRedis ? redis.url : undefined, balancers: count }, CLIENTS)
    const { faults, ...totals } = await countAtOnce(balancers, INCREMENTS)
    console.log(`${name}: ${JSON.stringify(totals)}`)
    assert.equal(faults, [])
    assert.equal([totals.increments, totals.lost, totals.sharedCounts], [CLIENTS * INCREMENTS, 0, 0])
    assert.is(totals.workers, balancers.workers)
  })

  test(`${name}: of ${ROUNDS} visitors who log out while slow requests of theirs save, none comes back`, async () => {
    const { faults, ...totals } = await endWhileOthersSave(balancers, ROUNDS, seed)
    console.log(`${name}: ${JSON.stringify(totals)}`)
    assert.equal(faults, [])
    assert.equal([totals.rounds, totals.cameBack], [ROUNDS, 0])
    assert.equal(await balancers.stop(), [])
  })
}

test('with express-session, and a store that reads and writes whole sessions, increments are lost and visitors come back', async () => {
  balancers = await SessionBalancers.start({ app: 'replacing-app.mjs', url: redis.url, balancers: 1 }, CLIENTS)
  const { faults: countingFaults, ...counting } = await countAtOnce(balancers, INCREMENTS)
  const { faults: logoutFaults, ...logouts } = await endWhileOthersSave(balancers, ROUNDS / 10, seed)
  console.log(`whole sessions: ${JSON.stringify({ ...counting, ...logouts })}`)
  assert.equal([...countingFaults, ...logoutFaults, ...(await balancers.stop())], [])
  assert.ok(counting.lost > 0 && logouts.cameBack > 0)
})

test.run()
