// A policy rebuilt from another policy's data, as in another process, picks and stays exactly as the original.

import fc from 'fast-check'
import { assert, suite } from '../../../test/suite.ts'
import { chosenRuns, chosenSeed } from '../../../test/support/random.ts'
import {
  bindPolicy,
  clientAddress,
  cookie,
  fromFunction,
  hash,
  header,
  issueSessionId,
  keySource,
  learn,
  leastBusy,
  leastInFlight,
  type Policy,
  type PolicyContext,
  type PolicyData,
  pathSegment,
  policyFromData,
  query,
  RequestHead,
  roundRobin,
  sticky,
  TicketSeal,
  ticket,
} from '../src/index.ts'
import { candidate } from './fixtures.ts'
import { mixedTables } from './policies/policy-contract.ts'

const NOW = 1_800_000_000_000
const seal = new TicketSeal([{ id: 1, secret: 'secret' }])
/** The scope of another process: the data of a policy must contain everything that the policy was made with. */
const scope = { trustedProxies: ['192.0.2.0/24'] }

const policies: [name: string, make: () => Policy][] = [
  ['least in-flight', leastInFlight],
  ['least busy', leastBusy],
  ['least busy by latency', () => leastBusy({ latency: true, hotAt: 0.5 })],
  ['ticket, else least busy', () => sticky({ by: ticket(), otherwise: leastBusy({ latency: true }) })],
  ['round robin', roundRobin],
  ['ticket', () => sticky({ by: ticket() })],
  ['ticket, never broken', () => sticky({ by: ticket(), breakAt: Number.POSITIVE_INFINITY })],
  ['ticket, broken early', () => sticky({ by: ticket({ cookie: 'place', query: 'session' }), breakAt: 1, breakFloor: 0 })],
  [
    'ticket, else round robin',
    () => sticky({ by: ticket({ maxAgeMs: 1000, sameSite: 'None', secure: true, path: '/a' }), otherwise: roundRobin() }),
  ],
  ['cookie', () => sticky({ by: hash(cookie('key')) })],
  ['cookie with a seed', () => sticky({ by: hash(cookie('key'), { seed: 'pepper' }), breakFloor: Number.POSITIVE_INFINITY })],
  ['header', () => sticky({ by: hash(header('X-Key')), breakAt: 3, breakFloor: 2 })],
  ['query', () => sticky({ by: hash(query('key')), otherwise: roundRobin() })],
  ['path segment', () => sticky({ by: hash(pathSegment(1)) })],
  ['client address', () => sticky({ by: hash(clientAddress()) })],
  ['client address behind proxies', () => sticky({ by: hash(clientAddress({ trustedProxies: ['10.0.0.0/8', 'unix'] })) })],
  ['client address in a field', () => sticky({ by: hash(clientAddress({ trustedProxies: ['unix'], header: 'X-Real-IP' })) })],
  [
    'key, else ticket',
    () => sticky({ by: hash(cookie('key'), { seed: 'a' }), otherwise: sticky({ by: ticket(), otherwise: roundRobin() }) }),
  ],
  ['learned cookie', () => sticky({ by: learn('key') })],
  ['learned cookie, else ticket', () => sticky({ by: learn('key'), otherwise: sticky({ by: ticket() }), breakAt: 2 })],
  ['ticket, else key', () => sticky({ by: ticket(), otherwise: sticky({ by: hash(header('x-key'), { seed: 'b' }), breakAt: 2 }) })],
]

const text = fc.record({
  slot: fc.nat(15),
  generation: fc.nat(1),
  pool: fc.constantFrom('web', 'web', 'web', 'heavy'),
  expiresAtMs: fc.constantFrom(NOW + 1000, NOW + 1000, NOW),
})
const ticketText = fc.oneof({ weight: 4, arbitrary: text.map((contents) => seal.issue(contents)) }, fc.constant('garbage'))
const sessionId = text.map((contents) => issueSessionId(seal, contents, 'cmFuZG9t'))
const key = fc.constantFrom('alice', 'bob', 'carol', '')
const address = fc.constantFrom('203.0.113.7', '10.0.0.1', '10.0.0.2', '192.0.2.1', '2001:db8::1')

const head = fc
  .record(
    {
      sid: sessionId,
      session: sessionId,
      queryKey: key,
      segment: key,
      ticket: ticketText,
      own: ticketText,
      cookieKey: key,
      headerKey: key,
      hops: address,
      realIp: address,
      peer: address,
    },
    { requiredKeys: [] },
  )
  .map((parts) => {
    const cookies = { key: parts.cookieKey, 'switchyard-web': parts.ticket, place: parts.own }
    const made = RequestHead.of({
      target: `/cart/${parts.segment ?? ''}?${pairs({ sid: parts.sid, session: parts.session, key: parts.queryKey }, '&')}`,
      headers: { cookie: pairs(cookies, '; '), 'x-key': parts.headerKey, 'x-forwarded-for': parts.hops, 'x-real-ip': parts.realIp },
    })
    made.remoteAddress = parts.peer
    return made
  })

function pairs(values: Record<string, string | undefined>, between: string): string {
  return Object.entries(values)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${value}`)
    .join(between)
}

const slots = fc.option(
  fc.uniqueArray(fc.record({ slot: fc.nat(15), weight: fc.constantFrom(0, 1, 1, 3) }), { maxLength: 16, selector: ({ slot }) => slot }),
  { nil: undefined },
)

function contextOf(held: readonly { slot: number; weight: number }[] | undefined): PolicyContext {
  return { pool: 'web', seal, now: () => NOW, ...(held !== undefined && { slots: () => held }) }
}

function rebuilt(policy: Policy): Policy {
  return policyFromData(JSON.parse(JSON.stringify(policy.data)) as PolicyData, scope)
}

const test = suite('PolicyData')

for (const [name, make] of policies) {
  test(`${name}: a policy from its data picks and stays as it does`, () => {
    const verdicts = new Set<unknown>()
    fc.assert(
      fc.property(slots, fc.array(fc.tuple(mixedTables, head), { minLength: 1, maxLength: 8 }), (held, rounds) => {
        const context = contextOf(held)
        const [here, there] = [bindPolicy(make(), context), bindPolicy(rebuilt(make()), context)]
        for (const [list, asked] of rounds) {
          assert.is(there.pick(list, asked), here.pick(list, asked))
          assert.equal(there.home?.(asked), here.home?.(asked))
          for (const worker of [...list, candidate(20)]) {
            const verdict = here.stays?.(worker, asked)
            assert.is(there.stays?.(worker, asked), verdict)
            verdicts.add(verdict)
          }
        }
      }),
      { numRuns: chosenRuns(150), seed: chosenSeed },
    )
    const judges = make().stays !== undefined
    assert.is(verdicts.size, judges ? 2 : 1, `only ever ${[...verdicts]} (seed ${chosenSeed})`)
  })

  test(`${name}: its data is plain, and the same when bound, rebuilt or sent`, () => {
    const { data } = make()
    assert.equal(JSON.parse(JSON.stringify(data)), data)
    assert.equal(bindPolicy(make(), contextOf(undefined)).data, data)
    assert.equal(rebuilt(make()).data, data)
    assert.equal(bindPolicy(rebuilt(make()), contextOf([])).data, data)
    assert.is(rebuilt(make()).waitsForLoop, make().waitsForLoop)
  })
}

test('is the policy as JSON', () => {
  const told: [Policy, PolicyData][] = [
    [leastInFlight(), 'least-in-flight'],
    [leastBusy(), 'least-busy'],
    [leastBusy({ latency: false }), 'least-busy'],
    [leastBusy({ latency: true }), { 'least-busy': { latency: true, hotAt: 0.75 } }],
    [sticky({ by: ticket() }), { sticky: { by: { ticket: {} }, otherwise: 'least-busy', breakAt: 1.5, breakFloor: 8 } }],
    [
      sticky({ by: hash(clientAddress({ header: 'x-real-ip' }), { seed: 's' }), otherwise: roundRobin() }),
      {
        sticky: {
          by: { 'client-address': { trustedProxies: [], header: 'x-real-ip' } },
          seed: 's',
          otherwise: 'round-robin',
          breakAt: 1.5,
          breakFloor: 8,
        },
      },
    ],
  ]
  for (const [policy, data] of told) assert.equal(policy.data, data)
})

test('is undefined when a part of the policy is the user’s own code', () => {
  const own = fromFunction((list) => list[0])
  const parts: [why: string, policy: Policy][] = [
    ['a function', own],
    ['a function inside', sticky({ by: ticket(), otherwise: (list) => list[0] })],
    ['a function further inside', sticky({ by: hash(cookie('key')), otherwise: sticky({ by: ticket(), otherwise: own }) })],
    ['a function for a key', sticky({ by: hash((asked) => asked.method) })],
    ['a key of its own', sticky({ by: hash(keySource('own', () => 'key')) })],
    ['a policy of its own', { name: 'own', pick: (list) => list[0] }],
    ['a policy of its own inside', sticky({ by: ticket(), otherwise: { name: 'own', pick: (list) => list[0] } })],
  ]
  for (const [why, policy] of parts) {
    assert.not('data' in policy, why)
    assert.not('data' in bindPolicy(policy, contextOf(undefined)), why)
  }
})

test('what it leaves out has the default, and trusted proxies come from the scope', () => {
  for (const by of ['client-address', { 'client-address': {} }] as const) {
    assert.equal(policyFromData({ sticky: { by } }, scope).data, sticky({ by: hash(clientAddress(scope)) }).data)
  }
  assert.equal(policyFromData({ sticky: { by: 'ticket' } }, scope).data, sticky({ by: ticket() }).data)
})

test.run()
