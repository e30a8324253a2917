// The long form of the races in test/support/drain-cases.ts.

import { nativeTransport, portableTransport } from '@switchyard/handoff'
import { assert, suite } from '../../../test/suite.ts'
import { drainRace } from '../test/support/drain-race.ts'
import { DrainWorld } from '../test/support/drain-world.ts'

const ROUNDS = 60
const seed = Number(process.env.SEED ?? 1)
const moves = process.env.SWITCHYARD_CHANNEL !== 'portable'
const test = suite(`drains, seed ${seed}`, { timeoutMs: 20 * 60_000 })

test(`no request is lost while ${ROUNDS} workers drain`, async () => {
  const world = new DrainWorld({ transport: moves ? nativeTransport() : portableTransport() })
  await world.primary.open()
  const { faults, ...totals } = await drainRace(world, { rounds: ROUNDS, seed })
  console.log(`seed ${seed}: ${JSON.stringify(totals)}`)
  assert.equal(faults, [])
  assert.is(totals.moved > 0, moves)
})

test.run()
