// Who does not answer is left alone for a while.

import { assert, suite } from '../../../../test/suite.ts'
import { Breaker } from '../../src/redis/breaker.ts'

const test = suite('breaker')
const SETTINGS = { failures: 3, openMs: 100 }

test('opens after so many failures in a row, and not before', () => {
  const breaker = new Breaker(SETTINGS)
  for (const succeeds of [false, false, true, false, false]) {
    assert.ok(breaker.allows(0))
    if (succeeds) breaker.succeeded()
    else breaker.failed(0)
  }
  assert.not.ok(breaker.isOpen)
  breaker.failed(0)
  assert.ok(breaker.isOpen)
  assert.not.ok(breaker.allows(99))
})

test('lets one try after a while, and the others when that one has succeeded', () => {
  const breaker = opened()
  assert.ok(breaker.allows(100))
  assert.not.ok(breaker.allows(100))
  assert.not.ok(breaker.allows(10_000))
  breaker.succeeded()
  assert.ok(breaker.allows(10_000))
  assert.ok(breaker.allows(10_000))
  assert.not.ok(breaker.isOpen)
})

test('waits again when that one has failed', () => {
  const breaker = opened()
  assert.ok(breaker.allows(150))
  breaker.failed(160)
  assert.not.ok(breaker.allows(259))
  assert.ok(breaker.allows(260))
  assert.ok(breaker.isOpen)
})

test('failures of those that were sent earlier make it no longer', () => {
  const breaker = opened()
  breaker.failed(90)
  assert.ok(breaker.allows(100))
})

test('after it has closed it takes as many failures as before', () => {
  const breaker = opened()
  breaker.succeeded()
  breaker.failed(200)
  breaker.failed(200)
  assert.ok(breaker.allows(200))
  breaker.failed(200)
  assert.not.ok(breaker.allows(200))
})

function opened(): Breaker {
  const breaker = new Breaker(SETTINGS)
  for (let count = 0; count < SETTINGS.failures; count++) breaker.failed(0)
  return breaker
}

test.run()
