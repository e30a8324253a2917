import { assert, suite } from '../../../../test/suite.ts'
import {
  bindPolicy,
  type Candidate,
  cookie,
  fromFunction,
  hash,
  issueSessionId,
  learn,
  leastBusy,
  leastInFlight,
  type Policy,
  type PolicyContext,
  query,
  RequestHead,
  roundRobin,
  sticky,
  TicketSeal,
  ticket,
} from '../../src/index.ts'
import { busy, candidate, candidates, read } from '../fixtures.ts'

const test = suite('sticky')

const NOW = 1_800_000_000_000
const seal = new TicketSeal([{ id: 1, secret: 'secret' }])
const context: PolicyContext = { pool: 'web', seal, now: () => NOW }
const last = fromFunction((list) => list.at(-1), 'last')

function ticketFor(slot: number, more: { generation?: number; pool?: string; expiresAtMs?: number } = {}): string {
  return seal.issue({ slot, generation: 0, pool: 'web', expiresAtMs: NOW + 1000, ...more })
}

function withCookie(text: string): RequestHead {
  return RequestHead.of({ target: '/', headers: { cookie: `switchyard-web=${text}` } })
}

function withSession(slot: number, headers: Record<string, string> = {}): RequestHead {
  const sessionId = issueSessionId(seal, { slot, generation: 0, pool: 'web', expiresAtMs: NOW + 1000 }, 'cmFuZG9t')
  return RequestHead.of({ target: `/socket.io/?EIO=4&transport=polling&sid=${sessionId}`, headers })
}

const byTicket = () => sticky({ by: ticket(), otherwise: last }).bind?.(context) ?? assert.unreachable('has no bind')
const byHash = (more: Partial<PolicyContext> = {}) => sticky({ by: hash(cookie('key')), otherwise: last }).bind?.({ ...context, ...more })

test('a ticket in a cookie leads to its slot', () => {
  const policy = byTicket()
  for (const slot of [0, 1, 2]) assert.is(policy?.pick(candidates(0, 0, 0, 0), withCookie(ticketFor(slot)))?.slot, slot)
})

test('a ticket of another pool, or an expired one, leads to no worker', () => {
  const policy = byTicket()
  for (const text of ['', 'garbage', ticketFor(0, { pool: 'heavy' }), ticketFor(0, { expiresAtMs: NOW - 1 })]) {
    assert.is(policy?.pick(candidates(0, 0, 0, 0), withCookie(text))?.slot, 3)
  }
})

test('a ticket leads to its generation first, else to its slot, else to the worker that otherwise chooses', () => {
  const policy = byTicket()
  const [old, recent] = [candidate(1, 0, { generation: 4 }), candidate(1, 0, { generation: 5 })]
  assert.is(policy?.pick([recent, old, candidate(2)], withCookie(ticketFor(1, { generation: 4 }))), old)
  assert.is(policy?.pick([old, recent, candidate(2)], withCookie(ticketFor(1, { generation: 3 }))), recent)
  assert.is(policy?.pick([candidate(0), candidate(2)], withCookie(ticketFor(1)))?.slot, 2)
})

test('a session id comes before the cookie and ignores load; the cookie’s ticket does not', () => {
  const policy = byTicket()
  const list = candidates(0, 500, 0, 0)
  assert.is(policy?.pick(list, withSession(1))?.slot, 1)
  assert.is(policy?.pick(list, withSession(1, { cookie: `switchyard-web=${ticketFor(2)}` }))?.slot, 1)
  assert.is(policy?.pick(list, withCookie(ticketFor(1)))?.slot, 3)
  assert.equal(policy?.home?.(withSession(1)), { slot: 1, generation: 0, firm: true })
  assert.equal(policy?.home?.(withCookie(ticketFor(2))), { slot: 2, generation: 0, firm: false })
  assert.is(policy?.home?.(RequestHead.addressOnly()), undefined)
})

test('load breaks a ticket above 1.5 times the mean, and never below 8 requests', () => {
  const policy = byTicket()
  // 7 requests in flight plus this one are within the floor of 8; 9 are not.
  assert.is(policy?.pick(candidates(7, 0, 0, 0), withCookie(ticketFor(0)))?.slot, 0)
  assert.is(policy?.pick(candidates(8, 0, 0, 0), withCookie(ticketFor(0)))?.slot, 3)
  // The mean is 20, so up to 30 are allowed.
  assert.is(policy?.pick(candidates(29, 15, 17, 15), withCookie(ticketFor(0)))?.slot, 0)
  assert.is(policy?.pick(candidates(30, 15, 16, 15), withCookie(ticketFor(0)))?.slot, 3)
  assert.is(policy?.pick([candidate(0, 40, { weight: 3 }), candidate(1, 10)], withCookie(ticketFor(0)))?.slot, 0)
})

test('the bound policy says as plain data how to set the ticket', () => {
  const plain = sticky({ by: ticket({ path: '/chat' }) })
  assert.equal(plain.ticket, { path: '/chat' })
  const filled = {
    cookie: 'switchyard-my-pool-',
    query: 'sid',
    maxAgeMs: 86_400_000,
    sameSite: 'Lax',
    secure: 'auto',
    path: '/chat',
  }
  assert.equal(plain.bind?.({ ...context, pool: 'my pool!' }).ticket, filled)
  assert.is(byHash()?.ticket, undefined)
})

test('configured names of cookie and query parameter replace the defaults', () => {
  const policy = sticky({ by: ticket({ cookie: 'place', query: 'session' }), otherwise: last }).bind?.(context)
  const text = ticketFor(0)
  assert.is(policy?.pick(candidates(0, 0), withCookie(text))?.slot, 1)
  assert.is(policy?.pick(candidates(0, 0), RequestHead.of({ target: '/', headers: { cookie: `place=${text}` } }))?.slot, 0)
  assert.is(policy?.pick(candidates(0, 0), RequestHead.of({ target: `/?session=r.${text}` }))?.slot, 0)
})

test('a later request stays with the worker its ticket or key names, and with any when it has none', () => {
  const here = candidate(1)
  const tickets = byTicket()
  assert.is(tickets?.stays?.(here, withCookie(ticketFor(1))), true)
  assert.is(tickets?.stays?.(here, withCookie(ticketFor(2))), false)
  assert.is(tickets?.stays?.(here, withSession(2)), false)
  assert.is(tickets?.stays?.(here, withCookie('garbage')), true)

  const slots = candidates(0, 0, 0, 0)
  const keyed = byHash({ slots: () => slots })
  const head = RequestHead.of({ target: '/', headers: { cookie: 'key=alice' } })
  const home = keyed?.pick(slots, head)?.slot
  for (const entry of slots) assert.is(keyed?.stays?.(entry, head), entry.slot === home)
  assert.is(byHash()?.stays?.(here, head), true, 'knows no slots')
  assert.is(keyed?.stays?.(here, RequestHead.addressOnly()), true)
})

test('a session stays with the worker of its generation only, a cookie with its slot', () => {
  const slots = candidates(0, 0)
  const tickets = sticky({ by: ticket(), otherwise: last }).bind?.({ ...context, slots: () => slots })
  const [own, next] = [candidate(1, 0, { generation: 0 }), candidate(1, 0, { generation: 1 })]
  assert.is(tickets?.stays?.(own, withSession(1)), true)
  assert.is(tickets?.stays?.(next, withSession(1)), false)
  assert.is(tickets?.stays?.(next, withCookie(ticketFor(1))), true)
})

test('a later request stays when its slot is empty', () => {
  const here = candidate(1)
  const keyed = RequestHead.of({ target: '/', headers: { cookie: 'key=alice' } })
  for (const held of [[], [here]]) {
    const tickets = sticky({ by: ticket(), otherwise: last }).bind?.({ ...context, slots: () => held })
    assert.is(tickets?.stays?.(here, withCookie(ticketFor(2))), true)
    assert.is(tickets?.stays?.(here, withSession(2)), true)
    assert.is(byHash({ slots: () => held })?.stays?.(here, keyed), true)
  }
  let held = [here, candidate(2)]
  const tickets = sticky({ by: ticket(), otherwise: last }).bind?.({ ...context, slots: () => held })
  assert.is(tickets?.stays?.(here, withSession(2)), false)
  held = [here]
  assert.is(tickets?.stays?.(here, withSession(2)), true, 'slots are read each time')
})

test('an empty list of slots counts: the last pick is not used instead', () => {
  const policy = byHash({ slots: () => [] })
  const head = RequestHead.of({ target: '/', headers: { cookie: 'key=alice' } })
  const list = candidates(0, 0, 0, 0)
  policy?.pick(list, head)
  for (const entry of list) assert.is(policy?.stays?.(entry, head), true)
})

test('a key whose slot has no candidate counts as broken stickiness, if the slots are known', () => {
  const outcomes: string[] = []
  const onSticky = (outcome: string): unknown => outcomes.push(outcome)
  const homes = [0, 1, 2, 3].map((slot) => ({ slot, weight: 1 }))
  const all = candidates(0, 0, 0, 0)
  for (const by of [hash(cookie('key')), learn('key')]) {
    const policy = sticky({ by, otherwise: last }).bind?.({ ...context, onSticky, homes: () => homes })
    const unknowing = sticky({ by, otherwise: last }).bind?.({ ...context, onSticky })
    for (let key = 0; key < 20; key++) {
      const head = RequestHead.of({ target: '/', headers: { cookie: `key=${key}` } })
      const own = policy?.pick(all, head) as Candidate
      policy?.pick(
        all.filter((one) => one !== own),
        head,
      )
      policy?.pick(
        all.filter(({ slot }) => slot !== (own.slot + 1) % 4),
        head,
      )
      unknowing?.pick(
        all.filter((one) => one !== own),
        head,
      )
      assert.equal(outcomes.splice(0), ['kept', 'gone', 'kept', 'kept'])
    }
  }
})

test('keys come back to their slot, and keys of overloaded slots go to the next in their own order', () => {
  const policy = byHash()
  const light = candidates(0, 0, 0, 0, 0, 0, 0, 0)
  const heavy = light.map(({ slot }) => candidate(slot, slot === 3 ? 100 : 0))
  const without = light.filter(({ slot }) => slot !== 3)
  let moved = 0
  for (let index = 0; index < 2000; index++) {
    const head = RequestHead.of({ target: '/', headers: { cookie: `key=user-${index}` } })
    const home = policy?.pick(light, head)?.slot
    const broken = policy?.pick(heavy, head)?.slot
    if (home === 3) moved++
    assert.is(broken, home === 3 ? policy?.pick(without, head)?.slot : home)
  }
  assert.ok(moved > 150 && moved < 350, `${moved}`)
})

test('no worker gets more than its bound, however uneven the keys', () => {
  const policy = byHash()
  const counts = new Array<number>(8).fill(0)
  for (let index = 0; index < 4000; index++) {
    // Half of the requests have one key.
    const head = RequestHead.of({ target: '/', headers: { cookie: `key=${index % 2 === 0 ? 'star' : index}` } })
    const slot = policy?.pick(candidates(...counts), head)?.slot ?? -1
    counts[slot] = (counts[slot] ?? 0) + 1
  }
  assert.ok(Math.max(...counts) <= 1.5 * 501, `${counts}`)
})

test('an own function is a key and an otherwise', () => {
  const policy = sticky({ by: hash((head) => head.header('x-room')), otherwise: (list) => list.at(-1) })
  const room = RequestHead.of({ target: '/', headers: { 'x-room': '7' } })
  const slots = new Set(Array.from({ length: 5 }, () => policy.pick(candidates(0, 0, 0, 0), room)?.slot))
  assert.is(slots.size, 1)
  assert.is(policy.pick(candidates(0, 0, 0, 0), RequestHead.of({ target: '/' }))?.slot, 3)
})

test('otherwise is bound with the rest, and asked whether a request without key stays', () => {
  const bound: string[] = []
  const inner = {
    ...last,
    stays: () => false,
    bind: (given: PolicyContext) => {
      bound.push(given.pool)
      return { ...last, stays: () => false }
    },
  }
  const policy = sticky({ by: ticket(), otherwise: inner }).bind?.(context)
  assert.equal(bound, ['web'])
  assert.is(policy?.stays?.(candidate(0), RequestHead.of({ target: '/' })), false)
})

test('tickets inside a policy by hash are for heads without a key', () => {
  const policy = sticky({ by: hash(cookie('key')), otherwise: sticky({ by: ticket(), otherwise: last }) }).bind?.(context)
  assert.is(policy?.ticket?.cookie, 'switchyard-web')
  assert.is(policy?.pick(candidates(0, 0, 0), withSession(1))?.slot, 1)
  assert.is(policy?.home?.(withSession(1))?.firm, true)
  assert.is(policy?.home?.(withSession(1, { cookie: 'key=alice' })), undefined)
})

test('waits for a loop as otherwise does, but not for heads that are bound to a worker', () => {
  const waiting: Policy = { name: 'waiting', waitsForLoop: true, pick: () => undefined }
  for (const by of [ticket(), hash(cookie('key'))]) {
    const policy = bindPolicy(sticky({ by, otherwise: waiting }), context)
    assert.is(policy.waitsForLoop, true)
    assert.is(sticky({ by, otherwise: policy }).waitsForLoop, true)
    assert.not('waitsForLoop' in bindPolicy(sticky({ by, otherwise: last }), context))
    const list = [candidate(0, 1, { load: busy(50) }), candidate(1, 1, { load: busy(50) })]
    assert.is(policy.pick(list, RequestHead.of({ target: '/' })), undefined)
    const bound = by.kind === 'ticket' ? withCookie(ticketFor(1)) : RequestHead.of({ target: '/', headers: { cookie: 'key=alice' } })
    assert.ok(policy.pick(list, bound) !== undefined)
  }
})

test('explains itself', () => {
  const list = candidates(0, 100, 0)
  const tickets = sticky({ by: ticket() }).bind?.(context)
  assert.is(tickets?.explain?.(list, RequestHead.of({ target: '/' })), 'no ticket → otherwise: least busy: slot 0 with 0')
  assert.is(tickets?.explain?.(list, withCookie(ticketFor(2))), 'ticket from cookie switchyard-web → slot 2')
  assert.is(tickets?.explain?.(list, withSession(1)), 'ticket from session id in query sid → slot 1')
  const why = 'ticket from cookie switchyard-web → slot 1 is overloaded → otherwise: least busy: slot 0 with 0'
  assert.is(tickets?.explain?.(list, withCookie(ticketFor(1))), why)
  const keyed = byHash()
  assert.is(keyed?.explain?.(list, RequestHead.of({ target: '/' })), 'no key from cookie key → otherwise: last')
  const head = RequestHead.of({ target: '/', headers: { cookie: 'key=alice' } })
  const slot = keyed?.pick(candidates(0, 0, 0), head)?.slot
  assert.is(keyed?.explain?.(candidates(0, 0, 0), head), `key from cookie key → slot ${slot}`)
})

test('refuses invalid bounds, and a key in place of its hash', () => {
  for (const breakAt of [0.5, Number.NaN]) assert.throws(() => sticky({ by: ticket(), breakAt }), /breakAt: expected at least 1/)
  assert.throws(() => sticky({ by: ticket(), breakFloor: -1 }), /breakFloor: expected at least 0/)
  for (const by of [cookie('a'), 'ticket', undefined])
    assert.throws(() => sticky({ by: by as never }), /'by' has to be ticket\(\), learn\('a cookie'\) or a hash, such as hash\(header/)
})

test('a head with a key is bound to its worker, one without as the contained policy says; user code binds', () => {
  const policy = sticky({ by: hash(query('session')), otherwise: leastInFlight() })
  assert.ok(policy.binds?.(read('GET /?session=a HTTP/1.1\nHost: a\n\n')))
  assert.not.ok(policy.binds?.(read('GET / HTTP/1.1\nHost: a\n\n')))
  const own = sticky({ by: hash(query('session')), otherwise: (candidates) => candidates[0] })
  assert.ok(own.binds?.(read('GET / HTTP/1.1\nHost: a\n\n')))
  for (const byLoad of [leastBusy(), leastInFlight(), roundRobin()]) assert.not.ok(byLoad.binds?.(read('GET / HTTP/1.1\nHost: a\n\n')))
})

test.run()
