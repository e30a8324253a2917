// The long form of the races in test/support/drain-cases.ts.

import { nativeTransport, portableTransport } from '@switchyard/handoff'
import { assert, suite } from '../../../test/suite.ts'
import { drainRace } from '../test/support/drain-race.ts'
import { SmallPrimary } from '../test/support/small-primary.ts'

const ROUNDS = 60
const seed = Number(process.env.SEED ?? 1)
const moves = process.env.SWITCHYARD_CHANNEL !== 'portable'
const test = suite(`drains, seed ${seed}`, { timeoutMs: 20 * 60_000 })

test(`no request is lost while ${ROUNDS} workers drain`, async () => {
  const primary = await new SmallPrimary(moves ? nativeTransport() : portableTransport()).open()
  const { faults, ...totals } = await drainRace(primary, { rounds: ROUNDS, seed })
  console.log(`seed ${seed}: ${JSON.stringify(totals)}`)
  assert.equal(faults, [])
  assert.is(totals.moved > 0, moves)
})

test.run()
