// Members become due one after another, evenly over a time.

import { assert, suite } from '../../../../test/suite.ts'
import { seededRandom } from '../../../../test/support/random.ts'
import { Staggered } from '../../src/drain/staggered.ts'

const test = suite('staggered')
const many = (count: number) => Array.from({ length: count }, (_, index) => ({ index }))

test('each member is due once: in each tenth of the time a tenth of them, give or take one', () => {
  for (const seed of [1, 2, 3]) {
    const all = many(1000)
    const staggered = new Staggered<{ index: number }>(5000, 1000, seededRandom(seed))
    assert.equal(staggered.due(all, 5000).length <= 1, true)
    const seen = new Set<object>()
    let before = staggered.due(all, 5000).length
    for (let tenth = 1; tenth <= 10; tenth++) {
      const due = staggered.due(all, 5000 + tenth * 100)
      assert.ok(Math.abs(due.length - 100) <= 2, `${due.length} in tenth ${tenth}`)
      for (const one of due) {
        assert.not.ok(seen.has(one))
        seen.add(one)
      }
      before += due.length
    }
    assert.ok(before >= 999)
    assert.equal(staggered.due(all, 99_000), [])
  }
})

test('without a spread all are due at once', () => {
  const all = many(7)
  const staggered = new Staggered<object>(0, 0, () => 0.5)
  assert.is(staggered.due(all, 0).length, 7)
  assert.is(staggered.due(all, 1).length, 0)
})

test('a later member is spread over the time that is left, or is due at once after it', () => {
  const staggered = new Staggered<object>(0, 1000, () => 0.5)
  const [first, second, third] = many(3) as [object, object, object]
  assert.equal(staggered.due([first], 0), [])
  assert.equal(staggered.due([first, second], 500), [first])
  assert.equal(staggered.due([second], 749), [])
  assert.equal(staggered.due([second], 750), [second])
  assert.equal(staggered.due([third], 1500), [third])
})

test.run()
