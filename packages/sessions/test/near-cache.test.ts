// Which cached sessions are fresh, with the time set by the test.

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

test('a read session is fresh for maxAgeMs from the request, and not after it has expired', () => {
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

test('without reports of changes no entry is fresh, but it is kept', () => {
  const near = cache()
  near.isListening = false
  read(near, 'a', 'x')
  assert.is(near.fresh('a', 1), undefined)
  assert.is(near.latest('a', 1)?.text, 'x')
})

test('a changed session is removed, and a pending read of it is not cached', () => {
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

test('after an interruption of the reports no entry is fresh, but all are kept', () => {
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

test('a session written here is fresh, and a pending read does not replace it', () => {
  const near = cache()
  const reading = near.begin('a', 0)
  const writing = near.begin('a', 1)
  near.onWritten(writing, session('mine', 2))
  near.onRead(reading, session('before'))
  assert.is(near.fresh('a', 2)?.text, 'mine')
})

test('after two concurrent writes the session is not cached: either may be the last', () => {
  const near = cache()
  const [one, another] = [near.begin('a', 0), near.begin('a', 0)]
  near.onWritten(one, session('one', 2))
  near.onWritten(another, session('another', 3))
  assert.is(near.latest('a', 1), undefined)
})

test('a write with an unknown result removes the session', () => {
  const near = cache()
  read(near, 'a', 'x')
  near.onWritten(near.begin('a', 1), undefined)
  assert.is(near.latest('a', 2), undefined)
})

test('a read that finds no session removes the entry, a failed read does not', () => {
  const near = cache()
  read(near, 'a', 'x')
  near.onFailed(near.begin('a', 1))
  assert.is(near.fresh('a', 2)?.text, 'x')
  near.onRead(near.begin('a', 2), undefined)
  assert.is(near.latest('a', 3), undefined)
})

test('entries and characters are bounded: the least recently used entry is removed', () => {
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
