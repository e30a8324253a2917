// Session ids: only ids with a valid signature are accepted.

import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { assert, suite } from '../../../test/suite.ts'
import { foreignIds, signedIds } from '../src/session-id.ts'

const test = suite('session ids')

const [first, second, third] = [1, 2, 3].map((byte) => Buffer.alloc(32, byte).toString('base64url')) as [string, string, string]
const ids = signedIds([first, second])

test('each id is different, and valid in every process with the same secret', () => {
  const made = new Set(Array.from({ length: 1000 }, () => ids.make()))
  assert.is(made.size, 1000)
  for (const id of made) {
    assert.match(id, /^[\w-]{22}\.[\w-]{22}$/)
    assert.ok(ids.isOurs(id))
    assert.ok(signedIds([first]).isOurs(id))
    assert.ok(foreignIds().isOurs(id))
  }
})

test('the first secret signs, all secrets verify, and other secrets do not', () => {
  const old = signedIds([second]).make()
  assert.ok(ids.isOurs(old))
  assert.not.ok(signedIds([first]).isOurs(old))
  assert.not.ok(ids.isOurs(signedIds([third]).make()))
})

test('an id with one changed character is invalid: each id has one spelling', () => {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const id = ids.make()
  for (let at = 0; at < id.length; at++) {
    for (const character of [...alphabet, '.', '=', '+', '/', '\0', ' ', 'é']) {
      const other = id.slice(0, at) + character + id.slice(at + 1)
      if (other !== id) assert.not.ok(ids.isOurs(other), other)
    }
  }
  assert.ok(ids.isOurs(id), 'the id itself stays valid')
})

test('values that are no id are invalid', () => {
  const id = ids.make()
  const others = [
    undefined,
    null,
    1,
    {},
    [id],
    [id, id],
    '',
    id.slice(1),
    `${id}A`,
    `${id}\n`,
    ` ${id}`,
    id.replace('.', '_'),
    id.toUpperCase(),
  ]
  for (const other of others) assert.not.ok(ids.isOurs(other), String(other))
  assert.not.ok(ids.isOurs(Object(id)))
})

test('arbitrary values are invalid, and none throws', () => {
  const anything = fc.oneof(fc.anything(), fc.string(), fc.string({ unit: 'binary' }), fc.string({ minLength: 45, maxLength: 45 }))
  fc.assert(fc.property(anything, (value) => assert.not.ok(ids.isOurs(value))))
  for (let length = 0; length < 200; length++) assert.not.ok(ids.isOurs(randomBytes(length).toString('base64url')))
})

test('an id of a framework is valid if it can be part of a key', () => {
  const foreign = foreignIds()
  for (const id of ['a', 'A-z_0.9~', 'x'.repeat(128), foreign.make()]) assert.ok(foreign.isOurs(id), id)
  for (const id of ['', 'x'.repeat(129), 'a b', 'a\n', 'a\0', '{a}', 'a*', 'a:b', 'é', 1, undefined])
    assert.not.ok(foreign.isOurs(id), String(id))
})

test('signing without a secret throws', () => {
  assert.throws(() => signedIds([]), /there is no secret/)
  assert.throws(() => signedIds([first, '']), /a secret is empty/)
})

test.run()
