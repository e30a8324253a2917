// Which visitors a worker knows as its own, and when the primary is told.

import { visitorKey } from '@switchyard/routing'
import { assert, suite } from '../../../../test/suite.ts'
import { VisitorCache } from '../../src/steering/visitor-cache.ts'

const test = suite('visitor cache')

function visitorsAt(start = 0): { visitors: VisitorCache; pass: (ms: number) => void } {
  let now = start
  const visitors = new VisitorCache({ pool: 'web', slot: 3 }, () => now)
  return {
    visitors,
    pass: (ms) => {
      now += ms
    },
  }
}

const alice = visitorKey('sid', 'alice')

test('a recorded visitor is known for ten seconds from the first record on', () => {
  const { visitors, pass } = visitorsAt()
  assert.is(visitors.slotOf('web', 'sid', 'alice'), undefined)
  visitors.record(alice)
  assert.is(visitors.slotOf('web', 'sid', 'alice'), 3)
  assert.is(visitors.slotOf('heavy', 'sid', 'alice'), undefined)
  assert.is(visitors.slotOf('web', 'other', 'alice'), undefined)
  pass(9_999)
  visitors.record(alice)
  assert.is(visitors.slotOf('web', 'sid', 'alice'), 3)
  pass(1)
  assert.is(visitors.slotOf('web', 'sid', 'alice'), undefined, 'then the primary is asked again')
  visitors.record(alice)
  assert.is(visitors.slotOf('web', 'sid', 'alice'), 3)
})

test('a cookie that is set repeatedly is reported once in ten seconds', () => {
  const { visitors, pass } = visitorsAt()
  visitors.record(alice)
  assert.is(visitors.give(alice), true)
  assert.is(visitors.give(alice), false)
  visitors.record(alice)
  assert.is(visitors.give(alice), false)
  assert.is(visitors.give(visitorKey('sid', 'bob')), true)
  pass(10_000)
  assert.is(visitors.give(alice), true)
  assert.is(visitors.slotOf('web', 'sid', 'alice'), 3)
})

test('it is bounded, and the oldest is dropped first', () => {
  const { visitors, pass } = visitorsAt()
  const count = 16_384
  for (let index = 0; index < count + 100; index++) visitors.record(visitorKey('sid', `v${index}`))
  assert.is(visitors.size, count)
  assert.is(visitors.slotOf('web', 'sid', 'v99'), undefined)
  assert.is(visitors.slotOf('web', 'sid', 'v100'), 3)
  pass(10_000)
  visitors.record(alice)
  assert.is(visitors.size, 1, 'expired ones make room')
})

test.run()
