// The long form of half-sent ClientHellos in e2e/client-hellos.test.ts.

import { assert, suite } from '../../../test/suite.ts'
import { certificate } from '../test/e2e/support/certificate.ts'
import { holdHalfHellos } from '../test/e2e/support/half-hello-run.ts'
import { startBalancer } from '../test/e2e/support/running-balancer.ts'

const COUNT = Number(process.env.SOAK_HELLOS ?? 10_000)
const REQUESTS = 500
const ROUNDS = 3
const HEAD_TIMEOUT_MS = 120_000
/** Of the primary, over the rounds after the first. The heap settles after some ten rounds; a leak of 1 KiB for each hello would be 20 MiB. */
const MAX_GROWTH_MIB = 16
const test = suite('half-sent hellos', { timeoutMs: 600_000 })

test(`${COUNT} half-sent hellos: the p99 of others stays below twice its value, and the memory is flat`, async () => {
  const balancer = await startBalancer({
    config: {
      app: 'tls-app.mjs',
      pools: { web: { workers: 2, env: certificate() } },
      headTimeoutMs: HEAD_TIMEOUT_MS,
      maxUnrouted: COUNT + 100,
      maxUnroutedPerAddress: COUNT + 100,
    },
  })
  await balancer.untilAllReady()
  const ratios: number[] = []
  const after: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const { faults, ...totals } = await holdHalfHellos(balancer, COUNT, REQUESTS)
    console.log(JSON.stringify(totals))
    assert.equal(faults, [])
    assert.is(totals.held, COUNT)
    ratios.push(totals.besideP99Ms / totals.aloneP99Ms)
    after.push(totals.memoryMiB[2])
  }
  const median = ratios.sort((one, other) => one - other)[Math.floor(ROUNDS / 2)] as number
  assert.ok(median < 2, `p99 grew to ${median.toFixed(2)} times its value`)
  const growth = (after[ROUNDS - 1] as number) - (after[0] as number)
  assert.ok(growth < MAX_GROWTH_MIB, `the primary grew by ${growth} MiB`)
  assert.is(await balancer.stop(), 0)
})

test.run()
