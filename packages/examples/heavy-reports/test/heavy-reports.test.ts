// Reports block the workers of their own pool; light requests never meet them. The tests check which workers answered, and in which order.

import { Agent } from 'node:http'
import { assert, suite } from '../../../../test/suite.ts'
import { inOneAttempt } from '../../../../test/support/attempts.ts'
import { type Answer, ask, askAtOnce, distinct, type RunningExample, runCommand, startExample } from '../../test-support/start.ts'

const test = suite('example heavy-reports', { timeoutMs: 60_000 })
let example: RunningExample

test.before(async () => {
  example = await startExample('heavy-reports', { workers: 4 })
})
test.after(() => example.stop())

const poolsOf = (answers: readonly Answer[]): string[] => distinct(answers.map(({ json }) => json.pool))

/** How long a report takes: longer on a slow machine. */
const reportMs = (attempt: number): number => 400 * 2 ** attempt

test('while reports block, only the web workers answer light requests, both of them', () =>
  inOneAttempt('light', async (attempt) => {
    const ms = reportMs(attempt)
    const order: string[] = []
    const reports = Promise.all(
      Array.from({ length: 4 }, async (_, index) => {
        const answer = await ask(example, `/reports/${index}?ms=${ms}`, { timeoutMs: 20_000 })
        order.push('report')
        return answer
      }),
    )
    const light: Answer[] = []
    for (let count = 0; count < 50; count++) {
      light.push(...(await askAtOnce(example, 4, `/light/${count}`)))
      order.push('light')
    }
    const heavy = await reports

    assert.equal(poolsOf(heavy), ['heavy'])
    assert.is(distinct(heavy.map(({ json }) => json.pid)).length, 2, 'both workers of the heavy pool computed')
    assert.ok(heavy.every(({ json }) => json.report.primes > 0 && json.report.tookMs >= ms))

    assert.ok(light.every(({ status }) => status === 200))
    assert.equal(poolsOf(light), ['web'])
    assert.is(distinct(light.map(({ json }) => json.pid)).length, 2)
    return order[0]
  }))

test('light requests that come after the reports were sent overtake all of them', () =>
  inOneAttempt('twenty light', async (attempt) => {
    const finished: string[] = []
    const reports = Promise.all(
      Array.from({ length: 4 }, async (_, index) => {
        await ask(example, `/reports/${index}?ms=${reportMs(attempt)}`, { timeoutMs: 20_000 })
        finished.push('report')
      }),
    )
    await askAtOnce(example, 20, '/')
    finished.push('twenty light')
    await reports
    return finished[0]
  }))

test('one kept-alive connection carries both kinds', async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  try {
    const answers: Answer[] = []
    for (let turn = 0; turn < 6; turn++) answers.push(await ask(example, turn % 2 === 0 ? '/light' : '/reports/1?ms=1', { agent }))
    assert.equal(
      answers.map(({ json }) => json.pool),
      ['web', 'heavy', 'web', 'heavy', 'web', 'heavy'],
    )
  } finally {
    agent.destroy()
  }
})

test('explain says why', async () => {
  const told = await runCommand('heavy-reports', ['explain', 'GET', '/reports/7'])
  assert.match(told, /pool +heavy \(2 workers/)
  assert.match(await runCommand('heavy-reports', ['explain', 'GET', '/light']), /pool +web \(2 workers/)
})

test.run()
