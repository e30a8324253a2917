// Sessions that many clients change at the same time, over several workers and two balancers. No increment is lost and no destroyed session
// comes back. The same clients find losses in a store that reads and writes whole sessions, so they would find them here.

import { assert, suite } from '../../../../test/suite.ts'
import { type RedisServer, startRedis } from '../../../../test/support/redis-servers.ts'
import { countAtOnce } from './support/counting-run.ts'
import { endWhileOthersSave } from './support/logout-run.ts'
import { placesOfSessions, SessionBalancers } from './support/session-balancers.ts'

const test = suite('sessions, concurrency', { timeoutMs: 60_000 })

const CLIENTS = 32
const INCREMENTS = 12
const ROUNDS = 60
const FEW_ROUNDS = 120
const SEED = 1

let redis: RedisServer

/** Starts the balancers for the first test that needs them. */
function startOnce(app: string, inRedis: boolean, count: number): () => Promise<SessionBalancers> {
  let started: Promise<SessionBalancers> | undefined
  return () => (started ??= SessionBalancers.start({ app, url: inRedis ? redis.url : undefined, balancers: count }, CLIENTS))
}

test.before(async () => {
  redis = await startRedis()
})

for (const { name, inRedis, balancers: count } of placesOfSessions) {
  const start = startOnce('updating-app.mjs', inRedis, count)

  test(`${name}: no increment of ${CLIENTS} clients in 10 sessions is lost`, async () => {
    const balancers = await start()
    const { faults, increments, lost, sharedCounts, workers } = await countAtOnce(balancers, INCREMENTS)
    assert.equal(faults, [])
    assert.equal({ increments, lost, sharedCounts }, { increments: CLIENTS * INCREMENTS, lost: 0, sharedCounts: 0 })
    assert.is(workers, balancers.workers)
  })

  test(`${name}: none of ${ROUNDS} destroyed sessions comes back when slow requests save it`, async () => {
    const balancers = await start()
    const { faults, rounds, saves, kept, cameBack } = await endWhileOthersSave(balancers, ROUNDS, SEED)
    assert.equal(faults, [])
    assert.equal({ rounds, cameBack }, { rounds: ROUNDS, cameBack: 0 })
    assert.ok(kept > 0 && kept < saves, `${kept} of ${saves} saves came before the end`)
    assert.equal(await balancers.stop(), [])
  })
}

const startReplacing = startOnce('replacing-app.mjs', true, 1)

test('with express-session and a store that replaces whole sessions, increments are lost', async () => {
  const balancers = await startReplacing()
  const { faults, increments, lost, sharedCounts } = await countAtOnce(balancers, INCREMENTS)
  assert.equal(faults, [])
  assert.is(increments, CLIENTS * INCREMENTS)
  assert.ok(lost > 0 && sharedCounts > 0, `${lost} lost, ${sharedCounts} shared`)
  console.log(`  of ${increments} increments ${lost} were lost`)
})

test('with express-session and such a store, destroyed sessions come back', async () => {
  const balancers = await startReplacing()
  const { faults, rounds, cameBack } = await endWhileOthersSave(balancers, FEW_ROUNDS, SEED)
  assert.equal(faults, [])
  assert.ok(cameBack > 0)
  console.log(`  of ${rounds} destroyed sessions ${cameBack} came back`)
  assert.equal(await balancers.stop(), [])
})

test.run()
