// Half-sent heads are held without cost to others, and end in time.

import { assert, suite } from '../../../../test/suite.ts'
import { holdHalfHeads } from './support/half-heads.ts'

const test = suite('half-sent heads', { timeoutMs: 30_000 })

test('400 half-sent heads: others are served, and each is told 408 within the deadline and a second', async () => {
  const { answered, served, slowestServedMs, shortestMs, faults } = await holdHalfHeads(400, 1_500)
  assert.equal(faults, [])
  assert.is(answered, 400)
  assert.ok(served > 20, `${served} others were served`)
  assert.ok(slowestServedMs < 500, `one of the others waited ${slowestServedMs} ms`)
  assert.ok(shortestMs > 1_400, `one was answered after ${shortestMs} ms`)
})

test.run()
