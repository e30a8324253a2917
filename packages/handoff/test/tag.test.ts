// What a tag of a hand-off carries, each part without touching the others.

import { assert, suite } from '../../../test/suite.ts'
import {
  isHeadComplete,
  isMoved,
  isProxied,
  isUsed,
  listenerOf,
  packTag,
  waitOf,
  withMoved,
  withoutProxied,
  withProxied,
  withUsed,
  withWait,
} from '../src/tag.ts'

const test = suite('tag')

test('a listener, a complete head, a move and a wait', () => {
  for (const listener of [0, 7, 32_767])
    for (const complete of [true, false]) {
      const tag = withWait(withMoved(packTag(listener, complete)), 250)
      assert.equal([listenerOf(tag), isHeadComplete(tag), isMoved(tag), waitOf(tag), isUsed(tag)], [listener, complete, true, 250, false])
      const used = withUsed(tag)
      assert.equal(
        [listenerOf(used), isHeadComplete(used), isMoved(used), waitOf(used), isUsed(used)],
        [listener, complete, true, 250, true],
      )
      const proxied = withProxied(tag)
      assert.equal([listenerOf(proxied), isProxied(proxied), isProxied(tag), withoutProxied(proxied)], [listener, true, false, tag])
      assert.ok(used > 0, 'native code takes it as a signed word')
    }
  assert.equal([isMoved(packTag(1, true)), waitOf(packTag(1, true))], [false, 0])
})

test('waits up to half a second are exact, longer ones nearly, and the longest has a bound', () => {
  for (const ms of [0, 1, 20, 511]) assert.is(waitOf(withWait(0, ms)), ms)
  for (const ms of [512, 1_000, 5_003, 30_000, 65_000]) {
    const found = waitOf(withWait(0, ms))
    assert.ok(found <= ms && found > ms * 0.995, `${ms}: ${found}`)
  }
  assert.is(waitOf(withWait(0, 1e9)), 511 * 128)
  assert.equal([waitOf(withWait(0, -5)), waitOf(withWait(withWait(0, 400), 3))], [0, 3])
})

test.run()
