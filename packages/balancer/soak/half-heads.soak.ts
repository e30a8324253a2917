// The long form of e2e/half-heads.test.ts.

import { assert, suite } from '../../../test/suite.ts'
import { holdHalfHeads } from '../test/e2e/support/half-head-run.ts'

const COUNT = 2_000
const HEAD_TIMEOUT_MS = 10_000
const SLACK_MS = 1_000
const seed = Number(process.env.SEED ?? 1)
const test = suite(`half-sent heads, seed ${seed}`, { timeoutMs: 120_000 })

test(`${COUNT} half-sent heads: others are served, and each is told 408 within the deadline and a second`, async () => {
  const { faults, ...totals } = await holdHalfHeads(COUNT, HEAD_TIMEOUT_MS, SLACK_MS)
  console.log(`seed ${seed}: ${JSON.stringify(totals)}`)
  assert.equal(faults, [])
  assert.is(totals.answered, COUNT)
  assert.is(totals.held, COUNT)
  assert.ok(totals.served > 200, `${totals.served} others were served`)
  assert.ok(totals.slowestServedMs < 500, `one of the others waited ${totals.slowestServedMs} ms`)
})

test.run()
