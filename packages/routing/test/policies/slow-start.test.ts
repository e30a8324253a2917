import fc from 'fast-check'
import { assert, suite } from '../../../../test/suite.ts'
import {
  bindPolicy,
  type Candidate,
  cookie,
  hash,
  leastBusy,
  leastInFlight,
  type Policy,
  RequestHead,
  roundRobin,
  slowStartShare,
  sticky,
  TicketSeal,
  ticket,
} from '../../src/index.ts'
import { candidate, permutations } from '../fixtures.ts'

const test = suite('slow start')
const HEAD = RequestHead.of({ target: '/' })
const context = { pool: 'web', seal: new TicketSeal([{ id: 1, secret: 'secret' }]), now: () => 0 }

test('grows evenly with aggression 1, from the least share', () => {
  const slow = { windowMs: 10_000, from: 0.1, aggression: 1 }
  const shares: [elapsedMs: number, share: number][] = [
    [-5000, 0.1],
    [0, 0.1],
    [900, 0.1],
    [2500, 0.25],
    [5000, 0.5],
    [9999, 0.9999],
    [10_000, 1],
    [1e12, 1],
  ]
  for (const [elapsedMs, share] of shares) assert.is(slowStartShare(elapsedMs, slow), share, `${elapsedMs}`)
})

test('grows quickly at first with more aggression, slowly with less', () => {
  assert.is(slowStartShare(2500, { windowMs: 10_000, from: 0.01, aggression: 2 }), 0.5)
  assert.is(slowStartShare(5000, { windowMs: 10_000, from: 0.01, aggression: 0.5 }), 0.25)
})

test('never shrinks, and is above 0 and at most 1, whatever the options', () => {
  const options = fc.record({
    windowMs: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
    from: fc.double({ min: 1e-6, max: 1, noNaN: true }),
    aggression: fc.double({ min: 1e-3, max: 1e3, noNaN: true }),
  })
  fc.assert(
    fc.property(
      options,
      fc.double({ min: 0, max: 1e10, noNaN: true }),
      fc.double({ min: 0, max: 1e10, noNaN: true }),
      (slow, one, more) => {
        const [first, then] = [slowStartShare(one, slow), slowStartShare(one + more, slow)]
        return first > 0 && first <= then && then <= 1
      },
    ),
  )
})

/** Slot 0 has just started; the others have weight 1. */
const fleet = (share: number): Candidate[] =>
  [0, 1, 2, 3].map((slot) => ({ ...candidate(slot, 0, { weight: slot === 0 ? share : 1 }), seatWeight: 1 }))

/** How often each slot is chosen when no request ends. */
function countsOf(policy: Policy, share: number, times: number): number[] {
  const counts = [0, 0, 0, 0]
  for (let time = 0; time < times; time++) {
    const list = fleet(share).map((one, slot) => ({ ...one, load: { ...one.load, inFlight: counts[slot] as number } }))
    const slot = policy.pick(list, HEAD)?.slot as number
    counts[slot] = (counts[slot] as number) + 1
  }
  return counts
}

for (const make of [
  roundRobin,
  leastInFlight,
  () => leastBusy(),
  () => leastBusy({ latency: true, hotAt: 0 }),
  () => sticky({ by: ticket() }),
]) {
  test(`${make().name} gives a worker in slow start its share`, () => {
    assert.equal(countsOf(make(), 0.1, 310), [10, 100, 100, 100])
    assert.equal(countsOf(make(), 1, 400), [100, 100, 100, 100])
  })

  test(`${make().name}: workers that all start slowly share evenly, however small the part`, () => {
    for (const share of [0.1, 1e-6, 1e-12, Number.MIN_VALUE]) {
      const policy = make()
      const list = [0, 1, 2, 3].map((slot) => candidate(slot, 1, { weight: share }))
      for (let round = 0; round < 5; round++) assert.is(new Set(list.map(() => policy.pick(list, HEAD)?.slot)).size, 4, `${share}`)
    }
  })
}

test('round robin continues evenly when the slow start is over', () => {
  const policy = roundRobin()
  for (let pick = 0; pick < 1000; pick++) policy.pick(fleet(0.001 + pick / 1001), HEAD)
  const counts = [0, 0, 0, 0]
  for (let pick = 0; pick < 40; pick++) {
    const slot = policy.pick(fleet(1), HEAD)?.slot as number
    counts[slot] = (counts[slot] as number) + 1
  }
  for (const count of counts) assert.ok(count >= 9 && count <= 11, `${counts}`)
})

test('keys are hashed by the weights of the slots: no key moves because its worker starts slowly', () => {
  const policy = bindPolicy(sticky({ by: hash(cookie('key')) }), { ...context, slots: () => fleet(1) })
  for (let index = 0; index < 200; index++) {
    const head = RequestHead.of({ target: '/', headers: { cookie: `key=user-${index}` } })
    const home = policy.pick(fleet(1), head)
    const chosen = policy.pick(fleet(0.1), head)
    assert.is(chosen?.slot, home?.slot)
    // `stays` runs where slow starts are unknown, and must agree.
    assert.is(policy.stays?.(chosen as Candidate, head), true)
  }
})

test('of two workers in one slot the newer gets the keys, even in slow start', () => {
  const policy = sticky({ by: hash(cookie('key')) })
  const [old, recent] = [candidate(0, 0, { generation: 1 }), { ...candidate(0, 0, { generation: 2, weight: 0.1 }), seatWeight: 1 }]
  const head = RequestHead.of({ target: '/', headers: { cookie: 'key=alice' } })
  for (const order of permutations([old, recent])) assert.is(policy.pick(order, head), recent)
})

test('a worker in slow start is overloaded sooner, but not below the floor', () => {
  const policy = bindPolicy(sticky({ by: ticket() }), context)
  const head = RequestHead.of({
    target: '/',
    headers: { cookie: `switchyard-web=${context.seal.issue({ slot: 0, generation: 0, pool: 'web', expiresAtMs: 1000 })}` },
  })
  const withLoads = (share: number, own: number) =>
    fleet(share).map((one, slot) => ({ ...one, load: { ...one.load, inFlight: slot === 0 ? own : 20 } }))
  assert.is(policy.pick(withLoads(1, 20), head)?.slot, 0)
  assert.is.not(policy.pick(withLoads(0.1, 20), head)?.slot, 0)
  assert.is(policy.pick(withLoads(0.1, 7), head)?.slot, 0)
})

test.run()
