// What a worker may believe of what it has read, by a clock that the test turns.

import { assert, suite } from '../../../test/suite.ts'
import { NearCache } from '../src/near-cache.ts'

const test = suite('near cache')

const session = (text: string, version = 1) => ({ text, version, expiresMs: 1000 })

function cache(maxEntries = 3): NearCache {
  const cache = new NearCache({ maxEntries, maxAgeMs: 100 })
  cache.isListening = true
  return cache
}

function read(near: NearCache, id: string, text: string, nowMs = 0): void {
  near.onRead(near.begin(id, nowMs), session(text))
}

test('what was read is fresh from when it was asked for, for so long, and not beyond its own time', () => {
  const near = cache()
  const one = near.begin('a', 10)
  near.onRead(one, { text: 'x', version: 1, expiresMs: 150 })
  assert.is(near.fresh('a', 109)?.text, 'x')
  assert.is(near.fresh('a', 110), undefined)
  assert.is(near.latest('a', 149)?.text, 'x')
  assert.is(near.latest('a', 150), undefined)
  near.onTouched(near.begin('a', 110), 400)
  assert.is(near.latest('a', 399)?.text, 'x')
  near.onRead(near.begin('b', 0), { text: 'y', version: 1, expiresMs: 20 })
  assert.is(near.fresh('b', 20), undefined)
  assert.equal([near.hits, near.misses], [1, 2])
})

test('where nobody is heard nothing is fresh, but it is known', () => {
  const near = cache()
  near.isListening = false
  read(near, 'a', 'x')
  assert.is(near.fresh('a', 1), undefined)
  assert.is(near.latest('a', 1)?.text, 'x')
})

test('what others have changed is not there any more, and a read under way brings nothing', () => {
  const near = cache()
  read(near, 'a', 'x')
  near.invalidate('a')
  assert.is(near.latest('a', 1), undefined)
  const one = near.begin('a', 1)
  const another = near.begin('b', 1)
  near.invalidate('a')
  near.onRead(one, session('old'))
  near.onRead(another, session('y'))
  assert.is(near.latest('a', 2), undefined)
  assert.is(near.fresh('b', 2)?.text, 'y')
  read(near, 'a', 'new', 3)
  assert.is(near.fresh('a', 4)?.text, 'new')
})

test('after a while in which nobody was heard nothing is fresh, and all is known', () => {
  const near = cache()
  read(near, 'a', 'x')
  const one = near.begin('b', 1)
  near.invalidateAll()
  near.onRead(one, session('y'))
  assert.is(near.fresh('a', 2), undefined)
  assert.is(near.latest('a', 2)?.text, 'x')
  assert.is(near.latest('b', 2), undefined)
  read(near, 'a', 'x', 3)
  assert.is(near.fresh('a', 4)?.text, 'x')
})

test('what was written here is fresh; reads that were under way are older', () => {
  const near = cache()
  const reading = near.begin('a', 0)
  const writing = near.begin('a', 1)
  near.onWritten(writing, session('mine', 2))
  near.onRead(reading, session('before'))
  assert.is(near.fresh('a', 2)?.text, 'mine')
})

test('of two writes under way nobody knows which was last', () => {
  const near = cache()
  const [one, another] = [near.begin('a', 0), near.begin('a', 0)]
  near.onWritten(one, session('one', 2))
  near.onWritten(another, session('another', 3))
  assert.is(near.latest('a', 1), undefined)
})

test('what came of a write is not known: nor is what is there', () => {
  const near = cache()
  read(near, 'a', 'x')
  near.onWritten(near.begin('a', 1), undefined)
  assert.is(near.latest('a', 2), undefined)
})

test('a read that finds nothing forgets; one that fails does not', () => {
  const near = cache()
  read(near, 'a', 'x')
  near.onFailed(near.begin('a', 1))
  assert.is(near.fresh('a', 2)?.text, 'x')
  near.onRead(near.begin('a', 2), undefined)
  assert.is(near.latest('a', 3), undefined)
})

test('it is bounded by number and by characters: what was not used for longest goes', () => {
  const near = cache()
  for (const id of ['a', 'b', 'c']) read(near, id, id)
  near.fresh('a', 1)
  read(near, 'd', 'd')
  assert.equal(
    ['a', 'b', 'c', 'd'].filter((id) => near.latest(id, 1)),
    ['a', 'c', 'd'],
  )
  read(near, 'e', 'x'.repeat(2 ** 25))
  assert.is(near.size, 1)
  read(near, 'f', 'x')
  assert.ok(near.latest('f', 1))
  assert.is(near.size, 1)
  near.clear()
  assert.is(near.size, 0)
})

test.run()
