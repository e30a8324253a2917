// The long form of e2e/chaos.test.ts: 30 minutes, or CHAOS_MINUTES.

import { assert, suite } from '../../../test/suite.ts'
import { runChaos } from '../test/e2e/support/chaos-run.ts'

const MINUTES = Number(process.env.CHAOS_MINUTES ?? 30)
const seed = Number(process.env.SEED ?? 1)
const test = suite(`chaos, seed ${seed}`, { timeoutMs: (MINUTES + 10) * 60_000 })

let saidMs = 0
/** Once a minute. */
const tell = (line: string): void => {
  const now = performance.now()
  if (now - saidMs < 60_000) return
  saidMs = now
  console.log(line)
}

test(`${MINUTES} minutes of chaos: only what had begun in a worker that was hit is lost`, async () => {
  const { faults, ...totals } = await runChaos({
    seed,
    durationMs: MINUTES * 60_000,
    visitors: 12,
    longestBusyMs: 10_000,
    operationEvery: 6,
    onProgress: tell,
  })
  console.log(`seed ${seed}: ${JSON.stringify(totals, undefined, 1)}`)
  assert.equal(faults, [])
})

test.run()
