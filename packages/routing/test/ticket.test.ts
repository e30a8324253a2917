import fc from 'fast-check'
import { assert, suite } from '../../../test/suite.ts'
import { issueSessionId, TicketSeal, ticketOf } from '../src/index.ts'

const test = suite('TicketSeal')

const NOW = 1_800_000_000_000
const OLD = { id: 1, secret: 'the old secret' }
const NEW = { id: 2, secret: Buffer.from('the new secret') }
const CONTENTS = { slot: 3, generation: 7, pool: 'web', expiresAtMs: NOW + 60_000 }

test('opens what it has issued', () => {
  const seal = new TicketSeal([OLD])
  fc.assert(
    fc.property(fc.nat(65535), fc.nat(2 ** 24 - 1), fc.string(), (slot, generation, pool) => {
      const text = seal.issue({ slot, generation, pool, expiresAtMs: NOW + 1000 })
      assert.match(text, /^[\w-]{36}$/)
      assert.equal(seal.open(text, pool, NOW), { slot, generation })
      assert.equal(new TicketSeal([OLD]).open(text, pool, NOW), { slot, generation })
    }),
  )
})

test('a ticket is valid in its own pool only', () => {
  const seal = new TicketSeal([OLD])
  const text = seal.issue(CONTENTS)
  assert.is(seal.open(text, 'heavy', NOW), undefined)
  assert.ok(seal.open(text, 'web', NOW))
  assert.is(seal.open(text, 'heavy', NOW), undefined)
})

test('a ticket expires, even a remembered one', () => {
  const seal = new TicketSeal([OLD])
  const text = seal.issue(CONTENTS)
  assert.is(seal.open(text, 'web', NOW + 60_000), undefined)
  assert.ok(seal.open(text, 'web', NOW + 59_999))
  assert.is(seal.open(text, 'web', NOW + 60_000), undefined)
})

test('keys rotate: the first signs, both verify, and a key that is gone verifies nothing', () => {
  const before = new TicketSeal([OLD]).issue(CONTENTS)
  const both = new TicketSeal([NEW, OLD])
  assert.ok(both.open(before, 'web', NOW))
  const after = both.issue(CONTENTS)
  assert.is(new TicketSeal([OLD]).open(after, 'web', NOW), undefined)
  assert.ok(new TicketSeal([NEW]).open(after, 'web', NOW))
  assert.is(new TicketSeal([NEW]).open(before, 'web', NOW), undefined)
  assert.is(new TicketSeal([{ id: 1, secret: 'another' }]).open(before, 'web', NOW), undefined)
})

test('a change of any byte or character invalidates it', () => {
  const seal = new TicketSeal([NEW, OLD])
  const text = seal.issue(CONTENTS)
  assert.ok(seal.open(text, 'web', NOW))
  const bytes = Buffer.from(text, 'base64url')
  for (let index = 0; index < bytes.length; index++) {
    for (let change = 1; change < 256; change++) {
      const forged = Buffer.from(bytes)
      forged[index] = (forged[index] as number) ^ change
      assert.is(seal.open(forged.toString('base64url'), 'web', NOW), undefined, `byte ${index}`)
    }
  }
  for (let index = 0; index < text.length; index++) {
    for (const character of 'Ab0-_+/=. \0é') {
      if (text[index] === character) continue
      assert.is(seal.open(text.slice(0, index) + character + text.slice(index + 1), 'web', NOW), undefined, `character ${index}`)
    }
  }
})

test('garbage is invalid and never throws', () => {
  const seal = new TicketSeal([OLD])
  const form = fc.string({ unit: fc.constantFrom(...'AZaz09-_'), minLength: 36, maxLength: 36 })
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), form), (text) => seal.open(text, 'web', NOW) === undefined),
    { numRuns: 1000 },
  )
})

test('remembers a bounded number of verified tickets and still opens them all', () => {
  const seal = new TicketSeal([OLD])
  const texts = Array.from({ length: 3000 }, (_, slot) => seal.issue({ ...CONTENTS, slot }))
  for (let round = 0; round < 2; round++) {
    for (const [slot, text] of texts.entries()) assert.is(seal.open(text, 'web', NOW)?.slot, slot)
  }
})

test('a session id carries a ticket', () => {
  const seal = new TicketSeal([OLD])
  const sessionId = issueSessionId(seal, CONTENTS, 'c2Vzc2lvbg')
  assert.ok(sessionId.startsWith('c2Vzc2lvbg.'))
  assert.equal(seal.open(ticketOf(sessionId) ?? '', 'web', NOW), { slot: 3, generation: 7 })
  for (const text of ['', '.', sessionId.slice(1 + 'c2Vzc2lvbg'.length), 'c2Vzc2lvbg', `${sessionId}x`, 'x'.repeat(99)]) {
    assert.is(ticketOf(text), undefined, text)
  }
})

test('refuses bad keys and numbers that do not fit', () => {
  for (const keys of [[], [OLD, NEW, { id: 3, secret: 'x' }], [OLD, OLD], [{ id: 256, secret: 'x' }], [{ id: 0, secret: '' }]]) {
    assert.throws(() => new TicketSeal(keys), /ticket key/)
  }
  const seal = new TicketSeal([OLD])
  for (const wrong of [
    { slot: -1 },
    { slot: 65536 },
    { slot: 0.5 },
    { generation: 2 ** 24 },
    { expiresAtMs: Number.NaN },
    { expiresAtMs: -1 },
  ]) {
    assert.throws(() => seal.issue({ ...CONTENTS, ...wrong }), /^ticket|out of range|expected/)
  }
})

test.run()
