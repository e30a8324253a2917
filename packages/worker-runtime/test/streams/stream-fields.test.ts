// Fields that Node has read, as fields that it writes.

import { sensitiveHeaders } from 'node:http2'
import { assert, suite } from '../../../../test/suite.ts'
import { fieldsFrom } from '../../src/streams/stream-fields.ts'

const test = suite('fields of a stream')

test('order and repeated fields stay', () => {
  const raw = [':method', 'GET', 'x-b', '1', 'x-a', '2', 'x-b', '3', 'set-cookie', 'a=1', 'set-cookie', 'b=2', 'x-b', '4']
  const fields = fieldsFrom(raw, { 'x-b': '1, 3, 4', 'set-cookie': ['a=1', 'b=2'] })
  assert.equal(Object.entries(fields), [
    [':method', 'GET'],
    ['x-b', ['1', '3', '4']],
    ['x-a', '2'],
    ['set-cookie', ['a=1', 'b=2']],
  ])
})

test('a field that may stand once only has the value that Node has kept', () => {
  assert.is(fieldsFrom(['content-type', 'a', 'content-type', 'b'], { 'content-type': 'a' })['content-type'], 'a')
})

test('bytes above ASCII are written as they were read', () => {
  assert.is(fieldsFrom(['x-utf8', 'caf\xc3\xa9'], {})['x-utf8'], 'café')
})

test('fields that must not be compressed stay so', () => {
  const parsed = { [sensitiveHeaders]: ['authorization'] }
  assert.equal((fieldsFrom(['authorization', 'x'], parsed) as typeof parsed)[sensitiveHeaders], ['authorization'])
})

test.run()
