import { assert, suite } from '../../../../test/suite.ts'
import { MAX_SHARED_SLOTS, ReadySlots, writeReadySlots } from '../../src/load/ready-slots.ts'

const test = suite('ready slots')

test('a worker reads the ready slots that the primary writes, with the weights of the pool', () => {
  const words = new Int32Array(64)
  const slots = new ReadySlots(words, [2, 0.5])
  assert.equal(slots.list, [])
  writeReadySlots(words, [1, 0, 40, MAX_SHARED_SLOTS - 1, MAX_SHARED_SLOTS])
  assert.equal(slots.list, [
    { slot: 0, weight: 2 },
    { slot: 1, weight: 0.5 },
    { slot: 40, weight: 1 },
    { slot: MAX_SHARED_SLOTS - 1, weight: 1 },
  ])
  assert.is(slots.list, slots.list, 'a new list only after a change')
  writeReadySlots(words, [1])
  assert.equal(slots.list, [{ slot: 1, weight: 0.5 }])
})

test.run()
