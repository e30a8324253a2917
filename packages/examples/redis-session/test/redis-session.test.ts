// Two balancers and one Redis: a visitor has one session, wherever the request goes.

import { assert, suite } from '../../../../test/suite.ts'
import { type RedisServer, startRedis } from '../../../../test/support/redis-servers.ts'
import { until } from '../../../../test/support/until.ts'
import { distinct, type RunningExample, startTwo } from '../../test-support/start.ts'
import { Visitor } from '../../test-support/visitor.ts'

const test = suite('example redis-session', { timeoutMs: 30_000 })
let redis: RedisServer
let one: RunningExample
let other: RunningExample

test.before(async () => {
  redis = await startRedis()
  ;[one, other] = await startTwo('redis-session', { REDIS_URL: redis.url })
})
test.after(() => one.stop())
test.after(() => other.stop())

test('visits go on counting, whichever balancer answers', async () => {
  let visitor = new Visitor(one)
  for (let count = 1; count <= 20; count++) {
    visitor = visitor.at(count % 2 === 0 ? one : other)
    assert.is((await visitor.post('/visits')).json.visits, count)
  }
})

test('a login at one is a login at the other, and so is a logout', async () => {
  const here = new Visitor(one)
  await here.post('/login')
  const there = here.at(other)
  assert.is((await there.get('/')).json.user, 'Ada')
  await here.post('/logout')
  assert.is(here.cookie, '')
  await until(async () => (await there.get('/')).json.user === undefined, 5_000, 'logged out there')
})

test('200 visits at once, at both, are all counted', async () => {
  const visitor = new Visitor(one)
  await visitor.post('/visits')
  const there = visitor.at(other)
  const answers = await Promise.all(Array.from({ length: 200 }, (_, index) => (index % 2 === 0 ? visitor : there).post('/visits')))
  assert.ok(answers.every(({ status }) => status === 200))
  assert.is(distinct(answers.map(({ json }) => json.visits)).length, 200)
  assert.is((await there.post('/visits')).json.visits, 202)
})

test('an id that neither has signed is not taken over', async () => {
  const stranger = new Visitor(one, 'session=AAAAAAAAAAAAAAAAAAAAAA.BBBBBBBBBBBBBBBBBBBBBB')
  assert.is((await stranger.post('/visits')).json.visits, 1)
  assert.not.match(stranger.cookie, 'AAAAAAAA')
})

test('a visitor with nothing in the session gets no cookie', async () => {
  assert.is((await new Visitor(one).get('/')).headers['set-cookie'], undefined)
})

test('worker.redis is the connection itself', async () => {
  const first = (await new Visitor(one).get('/served')).json.served
  assert.is((await new Visitor(other).get('/served')).json.served, first + 1)
})

test('without Redis: 503 where a session is needed; with it again: all is there, without a restart', async () => {
  const visitor = new Visitor(one)
  await visitor.post('/login')
  redis.pause()
  const refused = await visitor.post('/visits')
  assert.equal([refused.status, refused.headers['retry-after']], [503, '1'])
  assert.is((await new Visitor(other).get('/')).status, 200, 'a visitor without a session needs no store')
  redis.resume()
  await until(async () => (await visitor.post('/visits')).status === 200, 10_000, 'served again')
  assert.is((await visitor.get('/')).json.user, 'Ada')
})

test.run()
