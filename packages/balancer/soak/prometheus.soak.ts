// A real Prometheus scrapes for five minutes, or SOAK_SECONDS, while workers are killed and reloaded under load.

import { assert, suite } from '../../../test/suite.ts'
import { scrapeUnderLoad } from '../test/e2e/support/scrape-run.ts'

const SECONDS = Number(process.env.SOAK_SECONDS ?? 300)
const seed = Number(process.env.SEED ?? 1)
const test = suite(`prometheus, seed ${seed}`, { timeoutMs: SECONDS * 1000 + 180_000 })

test('no count falls, and every request is counted once', async () => {
  const totals = await scrapeUnderLoad({ seed, durationMs: SECONDS * 1000, clients: 32, workers: 4, pauseMs: 2_000 })
  console.log(JSON.stringify(totals))
  assert.equal(totals.fallen, [])
  assert.is(totals.failedScrapes, 0)
  assert.ok(totals.stored >= totals.answers && totals.stored <= totals.answers + totals.broken)
})

test.run()
