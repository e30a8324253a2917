// Balancers share their visitor tables through Redis. While Redis is down each uses its own table, and no request waits.

import { assert, suite } from '../../../../test/suite.ts'
import { type RedisServer, startRedis } from '../../../../test/support/redis-servers.ts'
import { until } from '../../../../test/support/until.ts'
import { metric, newVisitors, type Visitor, visitTwice } from './support/cookie-visitors.ts'
import { exchange, get } from './support/raw-client.ts'
import { type RunningBalancer, startBalancer, warningsOf } from './support/running-balancer.ts'

const test = suite('shared visitor table', { timeoutMs: 60_000 })
const VISITORS = 24

let redis: RedisServer
let [here, there] = [undefined, undefined] as unknown as [RunningBalancer, RunningBalancer]
let visitors: Visitor[] = []

async function start(): Promise<RunningBalancer> {
  const balancer = await startBalancer({
    config: {
      app: 'visitors-app.mjs',
      pools: { web: { workers: 3 } },
      routes: [{ path: '/*', policy: { sticky: { by: { learn: 'connect.sid' }, otherwise: 'round-robin' } } }],
      secret: 'a secret of both balancers',
      sessions: { url: redis.url, commandTimeoutMs: 300 },
    },
  })
  await balancer.untilAllReady()
  return balancer
}

async function untilKnown(balancer: RunningBalancer, count: number): Promise<void> {
  await until(async () => (await metric(balancer, 'switchyard_learned_visitors')) === count, 10_000, `${count} visitors known`)
}

test.before(async () => {
  redis = await startRedis()
  ;[here, there] = await Promise.all([start(), start()])
  visitors = await newVisitors(here, VISITORS)
})

test('a visitor of one balancer has the same slot at the other', async () => {
  assert.is(new Set(visitors.map(({ slot }) => slot)).size, 3)
  await untilKnown(there, VISITORS)
  await visitTwice(there, visitors)
  await visitTwice(here, visitors)
  assert.is(await metric(there, 'switchyard_learned_total'), 0)
})

test('a balancer that starts later loads the table', async () => {
  assert.is(await there.stop(), 0)
  there = await start()
  await untilKnown(there, VISITORS)
  await visitTwice(there, visitors)
})

test('entries in Redis contain no cookie and expire', async () => {
  const keys = (await redis.command('KEYS', '*')) as string[]
  assert.ok(keys.length > 0)
  for (const key of keys) {
    assert.match(key, /^\{switchyard:visitors\}/)
    assert.ok(Number(await redis.command('PTTL', key)) > 0, `${key} has no end`)
  }
  const kept = JSON.stringify(await Promise.all(keys.map((key) => redis.command('DUMP', key))))
  for (const { cookie } of visitors) assert.not.match(kept, cookie.slice('connect.sid='.length + 4, -'.signature'.length))
})

for (const [how, away, back] of [
  ['down', () => redis.kill(), () => redis.restart()],
  ['stopped', async () => redis.pause(), async () => redis.resume()],
] as const) {
  test(`while Redis is ${how} visitors are routed at once as before, and afterwards sharing resumes`, async () => {
    await away()
    await visitTwice(here, visitors)
    await visitTwice(there, visitors)
    const meanwhile = await newVisitors(here, 6)
    await visitTwice(here, meanwhile)
    assert.is((await exchange(there.port, get('/', { Cookie: meanwhile[0]?.cookie ?? '' }))).status, 200)
    await back()
    let later: Visitor[] = []
    await until(
      async () => {
        const before = await metric(there, 'switchyard_learned_visitors')
        later = await newVisitors(here, 1)
        // The entry may be under way.
        for (let look = 0; look < 10; look++) if ((await metric(there, 'switchyard_learned_visitors')) > before) return true
        return false
      },
      20_000,
      'sharing',
    )
    await visitTwice(there, later)
  })
}

test('the balancers have logged no other warning and stop', async () => {
  for (const balancer of [here, there]) {
    assert.equal(warningsOf(balancer), [])
    assert.is(await balancer.stop(), 0)
  }
  await redis.stop()
})

test.run()
