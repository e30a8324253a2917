// express-session on four workers: a session is the same in every worker, and outlives them.

import { request } from 'node:http'
import { assert, suite } from '../../../../test/suite.ts'
import { until, untilEvent } from '../../../../test/support/until.ts'
import { distinct, type RunningExample, startExample } from '../../test-support/start.ts'
import { Visitor } from '../../test-support/visitor.ts'

const test = suite('example express-session', { timeoutMs: 30_000 })
let example: RunningExample

test.before(async () => {
  example = await startExample('express-session', { workers: 4 })
})
test.after(() => example.stop())

test('every worker counts on from where the last one stopped', async () => {
  const visitor = new Visitor(example)
  const pids: number[] = []
  for (let count = 1; count <= 20; count++) {
    const { json } = await visitor.post('/visits')
    assert.is(json.visits, count)
    pids.push(json.pid)
  }
  assert.is(distinct(pids).length, 4)
})

test('two visitors have two sessions', async () => {
  const [one, other] = [new Visitor(example), new Visitor(example)]
  await one.post('/note', { note: 'platform 9' })
  await other.post('/note', { note: 'platform 3' })
  assert.is((await one.get('/')).json.note, 'platform 9')
  assert.is((await other.get('/')).json.note, 'platform 3')
})

test('a visitor with nothing in the session gets no cookie', async () => {
  assert.is((await new Visitor(example).get('/')).headers['set-cookie'], undefined)
})

test('login gives a new id, and the old one is worth nothing', async () => {
  const visitor = new Visitor(example)
  await visitor.post('/visits')
  const planted = visitor.cookie
  await visitor.post('/login', { user: 'Ada' })
  assert.is.not(visitor.cookie, planted)
  const { user, visits } = (await visitor.get('/')).json
  assert.equal({ user, visits }, { user: 'Ada', visits: 1 })
  const { json } = await new Visitor(example, planted).get('/')
  assert.equal([json.user, json.visits], [null, 0])
})

test('what is saved late does not bring a session back that has ended', async () => {
  const visitor = new Visitor(example)
  await visitor.post('/login', { user: 'Ada' })
  const body = JSON.stringify({ note: 'late' })
  const headers = { cookie: visitor.cookie, 'content-type': 'application/json', 'content-length': String(body.length) }
  // The session is read with the head, and written when the body has arrived.
  const late = request({ port: example.port, host: '127.0.0.1', path: '/note', method: 'POST', headers, agent: false })
  late.write(body.slice(0, 5))
  await visitor.get('/')
  const asBefore = visitor.cookie
  await visitor.post('/logout')
  late.end(body.slice(5))
  const [response] = (await untilEvent(late, 'response')) as [import('node:http').IncomingMessage]
  response.resume()
  await untilEvent(response, 'end')
  const { json } = await new Visitor(example, asBefore).get('/')
  assert.equal([json.user, json.note], [null, null])
})

test('sessions live through workers that are killed', async () => {
  const visitor = new Visitor(example)
  await visitor.post('/login', { user: 'Ada' })
  const { pid } = (await visitor.post('/visits')).json
  process.kill(pid, 'SIGKILL')
  await example.child.untilOutput(new RegExp(`${pid}[^]* ready after`))
  for (let count = 2; count <= 9; count++) {
    const { json } = await visitor.post('/visits')
    assert.is(json.visits, count)
  }
  assert.is((await visitor.get('/')).json.user, 'Ada')
})

test('sessions live through a reload', async () => {
  const visitor = new Visitor(example)
  await visitor.post('/login', { user: 'Ada' })
  const before = distinct(await pidsOf(visitor))
  example.child.process.kill('SIGHUP')
  await until(async () => (await pidsOf(visitor)).every((pid) => !before.includes(pid)), 20_000, 'other workers')
  assert.is((await visitor.get('/')).json.user, 'Ada')
})

async function pidsOf(visitor: Visitor): Promise<number[]> {
  const pids: number[] = []
  for (let count = 0; count < 8; count++) pids.push((await visitor.get('/')).json.pid)
  return pids
}

test.run()
