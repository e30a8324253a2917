// Names of TLS session tickets: a process that has the secret reads them, and to all others they are random.

import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { assert, suite } from '../../../test/suite.ts'
import { TlsTicketNames } from '../src/index.ts'

const test = suite('names of TLS tickets')

const secret = Buffer.alloc(16, 7)
const names = new TlsTicketNames(secret)

test('a name is read as it was written, with and without a slot', () => {
  const number = fc.integer({ min: 0, max: 0xfffe })
  const written = fc.record(
    { key: number, slot: fc.option(number, { nil: undefined }), isReusable: fc.boolean() },
    { noNullPrototype: true },
  )
  fc.assert(
    fc.property(written, fc.uint8Array({ minLength: 7, maxLength: 7 }), (name, nonce) => {
      const bytes = names.write(name, nonce)
      assert.is(bytes.length, 16)
      assert.equal(names.read(bytes), name)
      assert.equal(new TlsTicketNames(secret).read(new Uint8Array(bytes)), name)
    }),
  )
})

test('other names are not read: of another secret, changed, cut or random', () => {
  const bytes = names.write({ key: 1, slot: 2 }, randomBytes(7))
  assert.is(new TlsTicketNames(Buffer.alloc(16, 8)).read(bytes), undefined)
  for (let bit = 0; bit < 128; bit++) {
    const changed = Buffer.from(bytes)
    changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7))
    assert.is(names.read(changed), undefined)
  }
  for (let length = 0; length < 40; length++)
    if (length !== 16) assert.is(names.read(Buffer.concat([bytes, bytes, bytes]).subarray(0, length)), undefined)
  // The names before were read whole: an odd length leaves nothing behind.
  assert.equal(names.read(bytes), { key: 1, slot: 2, isReusable: false })
  for (let count = 0; count < 10_000; count++) assert.is(names.read(randomBytes(16)), undefined)
})

test('names of one slot have nothing in common', () => {
  const ones = new Array<number>(128).fill(0)
  const seen = new Set<string>()
  const COUNT = 2_000
  for (let count = 0; count < COUNT; count++) {
    const bytes = names.write({ key: 1, slot: 3 }, randomBytes(7))
    seen.add(bytes.toString('hex'))
    for (let bit = 0; bit < 128; bit++) ones[bit] = (ones[bit] as number) + (((bytes[bit >> 3] as number) >> (bit & 7)) & 1)
  }
  assert.is(seen.size, COUNT)
  // Six standard deviations: a bit that fails by chance is a matter of one in 10^7 runs.
  const far = 6 * Math.sqrt(COUNT / 4)
  for (const count of ones) assert.ok(Math.abs(count - COUNT / 2) < far, String(ones))
})

test('a secret of another length and a number that does not fit are errors', () => {
  assert.throws(() => new TlsTicketNames(Buffer.alloc(32)), /expected a secret of 16 bytes, got 32/)
  assert.throws(() => names.write({ key: 0x10000, slot: 0 }, Buffer.alloc(7)), RangeError)
})

test.run()
