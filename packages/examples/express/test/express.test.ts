// An unmodified Express app on four workers, started by one command without a config.

import { Agent } from 'node:http'
import { assert, suite } from '../../../../test/suite.ts'
import { inOneAttempt } from '../../../../test/support/attempts.ts'
import { ask, askAtOnce, distinct, type RunningExample, startExample } from '../../test-support/start.ts'

const test = suite('example express', { timeoutMs: 20_000 })
let example: RunningExample

test.before(async () => {
  example = await startExample('express', { workers: 4, args: ['server.js', '-i', '4'], env: { PORT: '0' } })
})
test.after(() => example.stop())

test('four workers answer', async () => {
  await inOneAttempt(4, async () => {
    const answers = await askAtOnce(example, 40, '/')
    assert.ok(answers.every(({ status, json }) => status === 200 && json.hello === 'world'))
    return distinct(answers.map(({ json }) => json.pid)).length
  })
})

test('the app is told the address and port that clients use', async () => {
  const answers = await askAtOnce(example, 8, '/address')
  for (const { json } of answers) assert.equal(json, { address: '127.0.0.1', family: 'IPv4', port: example.port })
  await example.child.untilOutput(new RegExp(`listening on http://127\\.0\\.0\\.1:${example.port}"`))
})

test('bodies arrive', async () => {
  const order = { item: 'signal lamp', note: 'ü'.repeat(40_000) }
  const { status, json } = await ask(example, '/orders', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(order),
  })
  assert.is(status, 201)
  assert.equal(json.accepted, order)
})

test('one kept-alive connection carries any number of requests', async () => {
  let connections = 0
  class Counting extends Agent {
    override createConnection(...args: Parameters<Agent['createConnection']>): ReturnType<Agent['createConnection']> {
      connections++
      return super.createConnection(...args)
    }
  }
  const agent = new Counting({ keepAlive: true, maxSockets: 1 })
  try {
    for (let count = 0; count < 20; count++) assert.is((await ask(example, '/', { agent })).json.hello, 'world')
    assert.is(connections, 1)
  } finally {
    agent.destroy()
  }
})

test('a route that the app does not have is the app’s own 404', async () => {
  const { status, headers } = await ask(example, '/nothing')
  assert.is(status, 404)
  assert.is(headers['x-powered-by'], 'Express')
})

test.run()
