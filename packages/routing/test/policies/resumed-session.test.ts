// A new TLS connection goes to the slot that its session tickets belong to, whether its route is sticky by ticket or only other routes of its pool are.

import { assert, suite } from '../../../../test/suite.ts'
import {
  bindPolicy,
  fromFunction,
  type Policy,
  type PolicyContext,
  preferResumed,
  RequestHead,
  type StickyOutcome,
  sticky,
  TicketSeal,
  ticket,
} from '../../src/index.ts'
import { candidate, candidates } from '../fixtures.ts'
import { hello } from '../head/hello-bytes.ts'

const test = suite('resumed sessions')

const NOW = 1_800_000_000_000
const last = fromFunction((list) => list.at(-1), 'last')

/** The slot of a ticket is its first byte, 0 for none. From 100 on it is firm. */
const tlsTickets = {
  homeOf(pool: string, names: readonly Uint8Array[]) {
    const first = pool === 'web' ? names.map(([byte]) => byte).find((byte) => byte) : undefined
    return first === undefined ? undefined : { slot: first % 100, firm: first >= 100 }
  },
}

function contextWith(more: Partial<PolicyContext> = {}): PolicyContext & { readonly outcomes: StickyOutcome[] } {
  const outcomes: StickyOutcome[] = []
  const seal = new TicketSeal([{ id: 1, secret: 'secret' }])
  return { pool: 'web', seal, now: () => NOW, tlsTickets, onSticky: (outcome) => outcomes.push(outcome), outcomes, ...more }
}

/** The head of a connection that presents tickets of these slots. */
function resuming(...slots: number[]): RequestHead {
  const bytes = hello({ serverName: 'a.example', ...(slots.length > 0 && { identities: slots.map((slot) => Buffer.alloc(100, slot)) }) })
  return RequestHead.read(bytes, bytes.length, 16_384)
}

const bySticky = (context: PolicyContext): Policy => bindPolicy(sticky({ by: ticket(), otherwise: last }), context)
const byPreference = (context: PolicyContext): Policy => preferResumed(last, context)

for (const [what, make] of Object.entries({ 'sticky by ticket': bySticky, 'with a preference': byPreference })) {
  test(`${what}: a resumed session leads to its slot, and its newest worker`, () => {
    const context = contextWith()
    const policy = make(context)
    for (const slot of [1, 2]) assert.is(policy.pick(candidates(0, 0, 0, 0), resuming(slot))?.slot, slot)
    const [old, recent] = [candidate(1, 0, { generation: 4 }), candidate(1, 0, { generation: 5 })]
    for (const list of [
      [old, recent, candidate(2)],
      [recent, old, candidate(2)],
    ]) {
      assert.is(policy.pick(list, resuming(1)), recent)
      assert.is(policy.preview?.(list, resuming(1)), recent)
    }
    assert.equal(new Set(context.outcomes), new Set(['kept']))
    assert.is(policy.binds?.(resuming(1)), true)
  })

  test(`${what}: the first ticket of this pool counts, and without one the policy beside it chooses`, () => {
    const policy = make(contextWith())
    assert.is(policy.pick(candidates(0, 0, 0, 0), resuming(0, 2, 1))?.slot, 2)
    for (const head of [resuming(), resuming(0), RequestHead.addressOnly(), RequestHead.of({ target: '/' })])
      assert.is(policy.pick(candidates(0, 0, 0, 0), head)?.slot, 3)
    assert.is(make(contextWith({ pool: 'heavy' })).pick(candidates(0, 0, 0, 0), resuming(1))?.slot, 3)
    assert.is(make(contextWith({ tlsTickets: undefined })).pick(candidates(0, 0, 0, 0), resuming(1))?.slot, 3)
  })

  test(`${what}: another worker gets the connection when the slot is overloaded or gone`, () => {
    const context = contextWith()
    const policy = make(context)
    assert.is(policy.pick(candidates(0, 7, 0, 0), resuming(1))?.slot, 1)
    assert.is(policy.pick(candidates(0, 8, 0, 0), resuming(1))?.slot, 3)
    assert.is(policy.pick([candidate(0), candidate(3)], resuming(1))?.slot, 3)
    assert.equal(context.outcomes, ['kept', 'overloaded', 'gone'])
    // The client has a session there.
    assert.is(policy.pick(candidates(0, 500, 0, 0), resuming(101))?.slot, 1)
    assert.match(policy.explain?.(candidates(0, 7, 0, 0), resuming(1)) ?? '', /TLS session.* slot 1$/)
    assert.match(policy.explain?.(candidates(0, 8, 0, 0), resuming(1)) ?? '', /TLS session.* slot 1.*overloaded.*→ otherwise: last$/)
  })
}

test('sticky by ticket: during a reload no draining worker is the home of a resumed session, and the hello is the key', () => {
  const policy = bySticky(contextWith())
  assert.is(policy.home?.(resuming(1))?.firm, false)
  assert.ok((policy.home?.(resuming(1))?.generation as number) > 2 ** 24)
  assert.is(policy.key?.(resuming(1))?.kind, 'TLS session ticket')
  assert.is(policy.key?.(resuming()), undefined)
})

test('a request inside TLS belongs to the worker that its cookie names, whatever its connection presented', () => {
  const context = contextWith()
  const policy = bySticky(context)
  const cookie = context.seal.issue({ slot: 2, generation: 0, pool: 'web', expiresAtMs: NOW + 1000 })
  for (const [headers, slot] of [
    [{}, 3],
    [{ cookie: `switchyard-web=${cookie}` }, 2],
  ] as const) {
    const head = RequestHead.of({ target: '/', headers })
    head.setHelloSource(undefined, () => resuming(1).hello)
    assert.is(policy.pick(candidates(0, 0, 0, 0), head)?.slot, slot)
  }
})

test('what else a policy says is not changed by the preference', () => {
  const policy = preferResumed({ ...last, name: 'mine', waitsForLoop: true, binds: () => false, stays: () => false }, contextWith())
  assert.equal(
    [policy.name, policy.waitsForLoop, policy.binds?.(resuming()), policy.stays?.(candidate(0), resuming())],
    ['mine', true, false, false],
  )
})

test.run()
