import { assert, suite } from '../../../../test/suite.ts'
import { MAX_SHARED_SLOTS, ReadySlots, writeReadySlots } from '../../src/load/ready-slots.ts'

const test = suite('seats')

test('a worker reads the seats that the primary tells, with the weights that the pool has', () => {
  const words = new Int32Array(64)
  const told = new ReadySlots(words, [2, 0.5])
  assert.equal(told.list, [])
  writeReadySlots(words, [1, 0, 40, MAX_SHARED_SLOTS - 1, MAX_SHARED_SLOTS])
  assert.equal(told.list, [
    { slot: 0, weight: 2 },
    { slot: 1, weight: 0.5 },
    { slot: 40, weight: 1 },
    { slot: MAX_SHARED_SLOTS - 1, weight: 1 },
  ])
  assert.is(told.list, told.list, 'made anew only when something has changed')
  writeReadySlots(words, [1])
  assert.equal(told.list, [{ slot: 1, weight: 0.5 }])
})

test.run()
