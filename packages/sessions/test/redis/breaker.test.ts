// The circuit breaker, with the time set by the test.

import { assert, suite } from '../../../../test/suite.ts'
import { Breaker } from '../../src/redis/breaker.ts'

const test = suite('breaker')
const SETTINGS = { failures: 3, openMs: 100 }

test('opens after the configured failures in a row, and not before', () => {
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

test('after openMs lets one command try, and all others when it has succeeded', () => {
  const breaker = opened()
  assert.ok(breaker.allows(100))
  assert.not.ok(breaker.allows(100))
  assert.not.ok(breaker.allows(10_000))
  breaker.succeeded()
  assert.ok(breaker.allows(10_000))
  assert.ok(breaker.allows(10_000))
  assert.not.ok(breaker.isOpen)
})

test('stays open for another openMs when that command has failed', () => {
  const breaker = opened()
  assert.ok(breaker.allows(150))
  breaker.failed(160)
  assert.not.ok(breaker.allows(259))
  assert.ok(breaker.allows(260))
  assert.ok(breaker.isOpen)
})

test('failures of commands that were sent earlier do not extend it', () => {
  const breaker = opened()
  breaker.failed(90)
  assert.ok(breaker.allows(100))
})

test('after it has closed the failures count from 0', () => {
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
