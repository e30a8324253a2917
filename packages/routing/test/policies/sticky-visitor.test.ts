// Sticky by a cookie that the app sets: a visitor returns to the worker that set the cookie, and an unknown value goes by its hash.

import fc from 'fast-check'
import { assert, suite } from '../../../../test/suite.ts'
import {
  bindPolicy,
  cookie,
  fromFunction,
  hash,
  learn,
  leastInFlight,
  type Policy,
  type PolicyContext,
  policyFromData,
  RequestHead,
  sticky,
  TicketSeal,
  ticket,
  VISITOR_KEY_LENGTH,
  type VisitorSlots,
  valueGiven,
  visitorKey,
} from '../../src/index.ts'
import { candidate, candidates } from '../fixtures.ts'
import { policyContract, tables } from './policy-contract.ts'

const test = suite('sticky by a learned cookie')

const last = fromFunction((list) => list.at(-1), 'last')
const seal = new TicketSeal([{ id: 1, secret: 'secret' }])

function knows(known: Record<string, number>): VisitorSlots {
  return { slotOf: (pool, name, value) => known[`${pool} ${name} ${value}`] }
}

function bound(learned?: VisitorSlots, more: Partial<PolicyContext> = {}): Policy {
  const policy = sticky({ by: learn('connect.sid'), otherwise: last })
  return bindPolicy(policy, { pool: 'web', seal, now: () => 0, ...(learned && { visitors: learned }), ...more })
}

function visitor(value: string | undefined): RequestHead {
  return RequestHead.of({ target: '/', headers: value === undefined ? {} : { cookie: `a=b; connect.sid=${value}` } })
}

policyContract('sticky by a learned cookie', () => sticky({ by: learn('key'), otherwise: leastInFlight() }), {
  takesTurns: false,
  leastLoaded: false,
})

test('a visitor goes to the known slot, and one without the cookie to the worker that otherwise chooses', () => {
  const policy = bound(knows({ 'web connect.sid alice': 2, 'heavy connect.sid bob': 1 }))
  assert.is(policy.pick(candidates(0, 0, 0, 0), visitor('alice'))?.slot, 2)
  assert.is(policy.pick(candidates(0, 0, 0, 0), visitor(undefined))?.slot, 3)
  assert.is(policy.binds?.(visitor('alice')), true)
  assert.is(policy.binds?.(visitor('unknown')), true)
  assert.is(policy.binds?.(visitor(undefined)), true)
})

test('during a reload the newer worker of a slot gets its visitors', () => {
  const policy = bound(knows({ 'web connect.sid alice': 1 }))
  const [old, recent] = [candidate(1, 0, { generation: 4 }), candidate(1, 0, { generation: 5 })]
  assert.is(policy.pick([recent, candidate(2), old], visitor('alice')), recent)
  assert.is(policy.pick([old, recent, candidate(2)], visitor('alice')), recent)
})

test('an unknown value goes by its hash: always to the same worker, and evenly over all', () => {
  const policy = bound(knows({}))
  const slots = Array.from({ length: 400 }, (_, index) => policy.pick(candidates(0, 0, 0, 0), visitor(`v${index}`))?.slot as number)
  for (const [index, slot] of slots.entries()) assert.is(policy.pick(candidates(0, 0, 0, 0), visitor(`v${index}`))?.slot, slot)
  for (const slot of [0, 1, 2, 3]) assert.ok(slots.filter((one) => one === slot).length > 50)
})

test('a visitor whose slot is empty or overloaded goes by its hash among the others', () => {
  const policy = bound(knows({ 'web connect.sid alice': 2 }))
  const without = policy.pick([candidate(0), candidate(1), candidate(3)], visitor('alice'))?.slot
  assert.is.not(without, undefined)
  const full = policy.pick(candidates(0, 0, 500, 0), visitor('alice'))?.slot
  assert.is.not(full, 2)
  assert.is(policy.pick(candidates(0, 0, 500, 0), visitor('alice'))?.slot, full)
  const never = bindPolicy(sticky({ by: learn('connect.sid'), breakAt: Number.POSITIVE_INFINITY }), {
    pool: 'web',
    seal,
    now: () => 0,
    visitors: knows({ 'web connect.sid alice': 2 }),
  })
  assert.is(never.pick(candidates(0, 0, 500, 0), visitor('alice'))?.slot, 2)
})

test('a later request stays with the worker that knows its visitor, and with no other', () => {
  const policy = bound(knows({ 'web connect.sid alice': 2 }), { slots: () => candidates(0, 0, 0, 0) })
  assert.is(policy.stays?.(candidate(2), visitor('alice')), true)
  assert.is(policy.stays?.(candidate(1), visitor('alice')), false)
  for (const slot of [0, 1, 2, 3]) assert.is(policy.stays?.(candidate(slot), visitor('unknown')), false, 'the primary is asked')
  assert.is(policy.stays?.(candidate(1), visitor(undefined)), true)
})

test('without a table of visitors it picks and stays by the hash alone', () => {
  const occupied = { slots: () => candidates(0, 0, 0, 0) }
  const [byLearning, byHash] = [bound(undefined, occupied), sticky({ by: hash(cookie('connect.sid')), otherwise: last })]
  const byHashBound = bindPolicy(byHash, { pool: 'web', seal, now: () => 0, ...occupied })
  fc.assert(
    fc.property(tables, fc.string(), (list, value) => {
      const head = visitor(encodeURIComponent(value))
      assert.is(byLearning.pick(list, head), byHashBound.pick(list, head))
      for (const worker of list) assert.is(byLearning.stays?.(worker, head), byHashBound.stays?.(worker, head))
    }),
  )
})

test('it names its cookie, and those of the contained policies', () => {
  assert.equal(sticky({ by: learn('a') }).learns, ['a'])
  const inner = sticky({ by: learn('b') })
  assert.equal(bindPolicy(sticky({ by: learn('a'), otherwise: inner }), { pool: 'web', seal, now: () => 0 }).learns, ['a', 'b'])
  assert.equal(sticky({ by: ticket(), otherwise: inner }).learns, ['b'])
  assert.equal(sticky({ by: hash(cookie('k')), otherwise: inner }).learns, ['b'])
  assert.equal(sticky({ by: learn('a'), otherwise: sticky({ by: ticket() }) }).ticket, {})
})

test('it has data', () => {
  const policy = sticky({ by: learn('connect.sid'), breakAt: 2 })
  assert.equal(policy.data, { sticky: { by: { learn: 'connect.sid' }, otherwise: 'least-busy', breakAt: 2, breakFloor: 8 } })
  assert.equal(policyFromData(policy.data as never, { trustedProxies: [] }).data, policy.data)
})

test('an impossible cookie name is refused', () => {
  for (const name of ['', 'a b', 'a=b', 'a;', 'ü']) assert.throws(() => learn(name), /expected the name of a cookie/)
})

test('it explains itself', () => {
  const policy = bound(knows({ 'web connect.sid alice': 2 }))
  assert.is(policy.explain?.(candidates(0, 0, 0, 0), visitor('alice')), 'cookie connect.sid, known at slot 2 → slot 2')
  assert.match(policy.explain?.(candidates(0, 0, 0, 0), visitor('bob')) ?? '', /^cookie connect\.sid, unknown here, by its hash → slot \d$/)
  assert.is(policy.explain?.(candidates(0), visitor(undefined)), 'no cookie connect.sid → otherwise: last')
  assert.is(policy.explain?.([], visitor('alice')), 'cookie connect.sid, known at slot 2 → no worker has room → otherwise: last')
})

test('the key of a visitor does not contain the value, and differs by cookie', () => {
  const key = visitorKey('connect.sid', 's%3Aabc.def')
  assert.is(key.length, VISITOR_KEY_LENGTH)
  assert.match(key, /^[\w-]+$/)
  assert.is(visitorKey('connect.sid', 's%3Aabc.def'), key)
  assert.is.not(visitorKey('other', 's%3Aabc.def'), key)
  assert.is.not(visitorKey('connect.sid', 's%3Aabc.deg'), key)
})

const fields: readonly [field: string, value: string | undefined][] = [
  ['connect.sid=s%3Aabc.def; Path=/; HttpOnly', 's%3Aabc.def'],
  ['connect.sid=abc', 'abc'],
  ['connect.sid = abc ;Path=/', 'abc'],
  ['connect.sid="abc"; Path=/', 'abc'],
  ['connect.sid=; Max-Age=0', undefined],
  ['other=1; connect.sid=abc', undefined],
  ['connect.sidx=abc', undefined],
  ['connect.sid', undefined],
  [`connect.sid=${'x'.repeat(1025)}`, undefined],
  ['', undefined],
]
for (const [field, value] of fields) {
  test(`Set-Cookie: ${field.slice(0, 50)}`, () => {
    assert.is(valueGiven(field, 'connect.sid'), value)
    if (value !== undefined)
      assert.is(
        visitor(
          field
            .slice(field.indexOf('=') + 1)
            .split(';')[0]
            ?.trim(),
        ).cookie('connect.sid'),
        value,
      )
  })
}

test.run()
