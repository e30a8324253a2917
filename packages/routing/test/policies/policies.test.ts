import { assert, suite } from '../../../../test/suite.ts'
import {
  bindPolicy,
  type Candidate,
  cookie,
  fromFunction,
  hash,
  leastBusy,
  leastInFlight,
  policyNamed,
  policyNames,
  RequestHead,
  roundRobin,
  sticky,
  TicketSeal,
  ticket,
} from '../../src/index.ts'
import { candidate, candidates } from '../fixtures.ts'
import { policyContract } from './policy-contract.ts'

const HEAD = RequestHead.of({ target: '/' })
const context = { pool: 'web', seal: new TicketSeal([{ id: 1, secret: 'secret' }]), now: () => 0 }

policyContract('round-robin', roundRobin, { takesTurns: true, leastLoaded: false })
policyContract('round-robin, bound', () => bindPolicy(roundRobin(), context), { takesTurns: true, leastLoaded: false })
policyContract('least-in-flight', leastInFlight, { takesTurns: true, leastLoaded: true })
policyContract('least-busy', leastBusy, { takesTurns: true, leastLoaded: true })
policyContract('least-busy by latency', () => leastBusy({ latency: true }), { takesTurns: true, leastLoaded: false })
policyContract('a function', () => fromFunction((list) => list[0]), { takesTurns: false, leastLoaded: false })
// For a head without key or ticket a sticky policy acts as the policy it contains.
policyContract('sticky by ticket', () => sticky({ by: ticket() }), { takesTurns: true, leastLoaded: true })
policyContract('sticky by ticket, bound', () => bindPolicy(sticky({ by: ticket() }), context), { takesTurns: true, leastLoaded: true })
policyContract('sticky by hash', () => sticky({ by: hash(cookie('key')) }), { takesTurns: true, leastLoaded: true })
policyContract(
  'sticky by hash, bound, round robin',
  () => bindPolicy(sticky({ by: hash(cookie('key')), otherwise: roundRobin() }), context),
  {
    takesTurns: true,
    leastLoaded: false,
  },
)
policyContract('sticky, else least busy', () => bindPolicy(sticky({ by: ticket(), otherwise: leastBusy() }), context), {
  takesTurns: true,
  leastLoaded: true,
})
for (const name of policyNames) policyContract(`named ${name}`, () => policyNamed(name), { takesTurns: true, leastLoaded: false })

const test = suite('policies')

test('roundRobin spreads weights 5, 1, 1 as a a b a c a a', () => {
  const policy = roundRobin()
  const list = [candidate(0, 0, { weight: 5 }), candidate(1), candidate(2)]
  const letters = Array.from({ length: 14 }, () => 'abc'[policy.pick(list, HEAD)?.slot ?? 9])
  assert.is(letters.join(' '), 'a a b a c a a a a b a c a a')
})

test('roundRobin continues evenly when a slot is replaced by another', () => {
  const policy = roundRobin()
  const counts = new Map<number, number>()
  const take = (list: Candidate[], times: number) => {
    counts.clear()
    for (let pick = 0; pick < times; pick++) {
      const slot = policy.pick(list, HEAD)?.slot ?? -1
      counts.set(slot, (counts.get(slot) ?? 0) + 1)
    }
  }
  take(candidates(0, 0, 0, 0), 400)
  take([candidate(0), candidate(2), candidate(3)], 600)
  assert.equal([...counts.values()], [200, 200, 200])
  take([candidate(0), candidate(2), candidate(3), candidate(1)], 400)
  assert.equal([...counts.keys()].sort(), [0, 1, 2, 3])
  for (const count of counts.values()) assert.ok(Math.abs(count - 100) <= 1, `${count}`)
})

test('roundRobin counts its own turns on each route that it is bound to', () => {
  const shared = roundRobin()
  const [one, other] = [bindPolicy(shared, context), bindPolicy(shared, context)]
  const list = candidates(0, 0, 0)
  assert.is(one.pick(list, HEAD)?.slot, 0)
  assert.is(other.pick(list, HEAD)?.slot, 0)
})

test('leastInFlight compares requests to weight', () => {
  const list = [candidate(0, 3, { weight: 1 }), candidate(1, 5, { weight: 2 }), candidate(2, 30, { weight: 10 })]
  assert.is(leastInFlight().pick(list, HEAD)?.slot, 1)
})

test('leastInFlight takes turns among tied candidates only', () => {
  const policy = leastInFlight()
  const slots = Array.from({ length: 6 }, () => policy.pick(candidates(1, 0, 5, 0, 0), HEAD)?.slot)
  assert.equal(slots, [1, 3, 4, 1, 3, 4])
})

test('a candidate of weight 0 is chosen when there is no other', () => {
  const idle = candidate(1, 0, { weight: 0 })
  for (const policy of [roundRobin(), leastInFlight(), leastBusy(), leastBusy({ latency: true })]) {
    for (let pick = 0; pick < 10; pick++) assert.is(policy.pick([idle, candidate(0, 50)], HEAD)?.slot, 0)
    assert.is(policy.pick([idle], HEAD), idle)
  }
})

test('a function that throws, or returns no candidate, chooses no worker, and its listener gets the error', () => {
  const list = candidates(0, 0)
  const heard: string[] = []
  const listen = (error: unknown, policy: string) => heard.push(`${policy}: ${(error as Error).message}`)
  const wrong: [string, () => unknown][] = [
    [
      'throws',
      () => {
        throw new Error('no')
      },
    ],
    ['copies', () => ({ ...list[0] })],
    ['promises', async () => list[0]],
    ['counts', () => 0],
  ]
  for (const [name, choose] of wrong) {
    assert.is(fromFunction(choose as never, name, listen).pick(list, HEAD), undefined)
    assert.is(bindPolicy(fromFunction(choose as never, name), { ...context, onError: listen }).pick(list, HEAD), undefined)
    assert.is(fromFunction(choose as never, name).pick(list, HEAD), undefined)
  }
  assert.is(heard.length, 8)
  assert.is(heard[0], 'throws: no')
  assert.match(heard[2] ?? '', /^copies: .*not one of the candidates/)
  heard.length = 0
  for (const none of [undefined, null]) assert.is(fromFunction((() => none) as never, 'none', listen).pick(list, HEAD), undefined)
  assert.equal(heard, [])
})

test('a function policy has the name of the function, or `own` when written inline', () => {
  assert.is(
    fromFunction(function lowest(list) {
      return list[0]
    }).name,
    'lowest',
  )
  const config = { policy: (list: readonly Candidate[]) => list[0] }
  assert.is(fromFunction(config.policy).name, 'own')
  assert.is(bindPolicy((list) => list.at(-1), context).pick(candidates(0, 0), HEAD)?.slot, 1)
})

test('policies are found by name', () => {
  assert.equal(policyNames, ['least-busy', 'round-robin', 'least-in-flight'])
  for (const name of policyNames) assert.is(policyNamed(name).name, name)
  assert.throws(() => policyNamed('fastest'), /expected one of least-busy, round-robin, least-in-flight, got fastest/)
})

test('a policy whose user code throws chooses no worker, binds nothing, and reports the error', () => {
  const said: string[] = []
  const fail = (): never => {
    throw new Error('mine')
  }
  const own = { name: 'mine', pick: fail, binds: fail, home: fail, stays: fail, waitsForLoop: true as const }
  const bound = bindPolicy(own, { ...context, onError: (error, policy) => said.push(`${policy}: ${(error as Error).message}`) })
  const [worker] = candidates(0) as [Candidate]
  assert.equal(
    [bound.name, bound.waitsForLoop, bound.pick([worker], HEAD), bound.binds?.(HEAD), bound.home?.(HEAD), bound.stays?.(worker, HEAD)],
    ['mine', true, undefined, false, undefined, true],
  )
  assert.equal(said, ['mine: mine', 'mine: mine', 'mine: mine', 'mine: mine'])
})

test.run()
