// The long form of the swaps in e2e/tls-renewal.test.ts.

import { assert, suite } from '../../../test/suite.ts'
import { runSwaps } from '../test/e2e/support/certificate-swaps.ts'

const SWAPS = 1000
const test = suite('certificates', { timeoutMs: 600_000 })

test(`${SWAPS} swaps under load fail no handshake and no request`, async () => {
  const { handshakes, requests, failures, served } = await runSwaps({ swaps: SWAPS, everyMs: 100 })
  console.log(`${handshakes} handshakes with ${served.size} certificates, ${requests} requests on kept connections`)
  assert.equal(failures, [])
  assert.is(served.size, 5)
})

test.run()
