// The long form of acceptor/proxy-header.test.ts.

import { assert, suite } from '../../../test/suite.ts'
import { compareReaders } from '../test/acceptor/support/proxy-headers.ts'

const COUNT = 1_000_000
const seed = Number(process.env.SEED ?? 1)
const test = suite(`headers of the PROXY protocol, seed ${seed}`, { timeoutMs: 300_000 })

test(`${COUNT} random headers: a second reader finds the same`, () => {
  const kinds = compareReaders(seed, COUNT)
  console.log(`seed ${seed}: ${JSON.stringify(kinds)}`)
  assert.is(
    Object.values(kinds).reduce((sum, count) => sum + count, 0),
    COUNT,
  )
})

test.run()
