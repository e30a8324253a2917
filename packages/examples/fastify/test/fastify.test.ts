// A Fastify app that awaits listen(), on four workers, each in turn.

import { assert, suite } from '../../../../test/suite.ts'
import { inOneAttempt } from '../../../../test/support/attempts.ts'
import { ask, askAtOnce, type RunningExample, startExample } from '../../test-support/start.ts'

const test = suite('example fastify', { timeoutMs: 20_000 })
let example: RunningExample

test.before(async () => {
  example = await startExample('fastify', { workers: 4 })
})
test.after(() => example.stop())

test('listen() resolves with the address of the balancer, in every worker', async () => {
  await example.child.untilOutput(new RegExp(`(?:listening on http://127\\.0\\.0\\.1:${example.port}"[^]*){4}`))
})

test('round robin: of 40 connections each worker gets 10', () =>
  inOneAttempt([10, 10, 10, 10], async () => {
    const counts = new Map<number, number>()
    for (let count = 0; count < 40; count++) {
      const { pid } = (await ask(example, '/')).json
      counts.set(pid, (counts.get(pid) ?? 0) + 1)
    }
    return [...counts.values()]
  }))

test('40 connections at once are answered', async () => {
  const answers = await askAtOnce(example, 40, '/')
  assert.ok(answers.every(({ status, json }) => status === 200 && json.hello === 'world'))
})

test('bodies arrive', async () => {
  const body = { text: 'ü'.repeat(100_000) }
  const answer = await ask(example, '/echo', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  assert.equal(answer.json.body, body)
})

test.run()
