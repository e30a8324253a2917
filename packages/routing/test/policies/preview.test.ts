// What a policy says that it would pick is what it picks next, and saying so changes nothing.

import { assert, suite } from '../../../../test/suite.ts'
import { chosenRuns, chosenSeed, seededRandom } from '../../../../test/support/random.ts'
import { policyFromData } from '../../src/from-data.ts'
import { RequestHead } from '../../src/head/request-head.ts'
import { idleLoad } from '../../src/load.ts'
import { bindPolicy, type Candidate, type Policy, previewOf, type StickyOutcome } from '../../src/policy.ts'
import type { PolicyData } from '../../src/policy-data.ts'
import { TicketSeal } from '../../src/ticket.ts'

const test = suite('preview')
const seal = new TicketSeal([{ id: 0, secret: 'test' }])
const policies: readonly PolicyData[] = [
  'least-busy',
  'least-in-flight',
  'round-robin',
  { 'least-busy': { latency: true } },
  { sticky: { by: { header: 'key' }, otherwise: 'round-robin', breakAt: 1, breakFloor: 0 } },
  { sticky: { by: 'ticket', otherwise: 'least-in-flight' } },
  { sticky: { by: { learn: 'sid' }, otherwise: 'least-busy' } },
]

function bound(data: PolicyData, onSticky?: (outcome: StickyOutcome) => void): Policy {
  return bindPolicy(policyFromData(data, { trustedProxies: [] }), { pool: 'web', seal, now: () => 0, ...(onSticky && { onSticky }) })
}

function candidatesOf(random: () => number): Candidate[] {
  const whole = (most: number): number => Math.floor(random() * most)
  return Array.from({ length: whole(5) }, (_, slot) => ({
    slot,
    generation: 0,
    weight: 1 + whole(3),
    load: { ...idleLoad, inFlight: whole(4), isFree: random() < 0.6, turnWaitMs: random(), latencyMs: whole(20), busyMs: whole(3) },
  }))
}

for (const data of policies)
  test(JSON.stringify(data), () => {
    const random = seededRandom(chosenSeed)
    const asked = bound(data)
    const unasked = bound(data)
    for (let run = 0; run < chosenRuns(1_000); run++) {
      const candidates = candidatesOf(random)
      const key = `k${Math.floor(random() * 20)}`
      const ticket = seal.issue({ slot: Math.floor(random() * 5), generation: 0, pool: 'web', expiresAtMs: 3_600_000 })
      const headers = random() < 0.7 ? { key, cookie: `sid=${key}; switchyard-web=${ticket}` } : {}
      const head = RequestHead.of({ target: '/', headers })
      const previewed = previewOf(asked, candidates, head)
      const again = previewOf(asked, candidates, head)
      const picked = asked.pick(candidates, head)
      assert.is(previewed?.slot, picked?.slot)
      assert.is(again?.slot, picked?.slot)
      assert.is(unasked.pick(candidates, head)?.slot, picked?.slot)
    }
  })

test('a sticky policy reports what became of each key it has picked for', () => {
  const seen: StickyOutcome[] = []
  const policy = bound({ sticky: { by: { header: 'key' }, otherwise: 'least-in-flight', breakAt: 1, breakFloor: 1 } }, (outcome) =>
    seen.push(outcome),
  )
  const workers = (loads: readonly number[]): Candidate[] =>
    loads.map((inFlight, slot) => ({ slot, generation: 0, weight: 1, load: { ...idleLoad, inFlight } }))
  const keyed = RequestHead.of({ target: '/', headers: { key: 'alice' } })
  const home = policy.pick(workers([0, 0, 0]), keyed)?.slot as number
  policy.pick(workers([0, 1, 2].map((slot) => (slot === home ? 9 : 0))), keyed)
  policy.pick(workers([0, 0, 0]), RequestHead.of({ target: '/' }))
  policy.pick([], keyed)
  assert.equal(seen, ['kept', 'overloaded', 'no-key'])
})

test('tickets of a worker that is gone break stickiness; the key is the ticket, and is not in the explanation', () => {
  const seen: StickyOutcome[] = []
  const policy = bound({ sticky: { by: 'ticket', otherwise: 'least-in-flight' } }, (outcome) => seen.push(outcome))
  const ticket = seal.issue({ slot: 7, generation: 0, pool: 'web', expiresAtMs: 3_600_000 })
  const head = RequestHead.of({ target: '/', headers: { cookie: `switchyard-web=${ticket}` } })
  const candidates = [{ slot: 0, generation: 0, weight: 1, load: idleLoad }]
  assert.is(policy.pick(candidates, head)?.slot, 0)
  assert.equal(seen, ['gone'])
  assert.equal(policy.key?.(head), { kind: 'ticket in cookie switchyard-web', value: ticket })
  assert.not.match(policy.explain?.(candidates, head) ?? ticket, ticket)
})

test.run()
