// The example heavy-reports without its pool, for SOAK_SECONDS before and after the advised config is pasted in: light requests are ten times as fast.

import { assert, suite } from '../../../test/suite.ts'
import { AdviceRun, lightP99 } from '../test/e2e/support/advice-run.ts'
import { quantile } from '../test/e2e/support/report-load.ts'

const MS = Number(process.env.SOAK_SECONDS ?? 30) * 1000
const REPORT_MS = 500
const test = suite('advice', { timeoutMs: MS * 2 + 120_000 })

test('the advised config brings the 99th percentile of light requests down to a tenth', async () => {
  const run = await AdviceRun.start(REPORT_MS)
  const { advice } = await run.untilAdvised()
  assert.is(advice[0]?.subject, 'GET /reports/:id')
  const before = await run.measure(MS)
  await run.paste(advice[0]?.config ?? '')
  const after = await run.measure(MS)
  const facts = [before, after].map(({ light, reports }) => ({
    light: light.length,
    reports,
    p50: quantile(light, 0.5),
    p99: quantile(light, 0.99),
  }))
  const factor = lightP99(before) / lightP99(after)
  console.log(JSON.stringify({ before: facts[0], after: facts[1], factor }))
  assert.ok(factor >= 10, `${factor}`)
  assert.is(await run.balancer.stop(), 0)
})

test.run()
