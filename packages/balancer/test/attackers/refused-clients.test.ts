// Which clients are refused, and which never.

import type { CutReason } from '@switchyard/worker-runtime'
import { assert, suite } from '../../../../test/suite.ts'
import { addressGroup, isPrivateAddress } from '../../src/attackers/address-group.ts'
import { CutConnections } from '../../src/attackers/cut-connections.ts'
import { RefusedClients } from '../../src/attackers/refused-clients.ts'
import { eventLines } from '../../src/cli/running/event-lines.ts'
import type { RefusedClient } from '../../src/events.ts'

const test = suite('clients that are refused')
const HTTP2 = 1
const PRIVATE_TOO = 2
const NEVER = 3
const settings = { refuseAfterCuts: 3, refuseMs: 1000, refusePrivate: false }
const PUBLIC = '203.0.113.7'

function made() {
  const refused: RefusedClient[] = []
  const clients = new RefusedClients({
    settingsOf: (listener) =>
      new Map([
        [HTTP2, settings],
        [PRIVATE_TOO, { ...settings, refusePrivate: true }],
        [NEVER, { ...settings, refuseAfterCuts: 0 }],
      ]).get(listener),
    isTrusted: (_, address) => address === '198.51.100.1',
    onRefused: (client) => refused.push(client),
  })
  const cut = (address: string, { listener = HTTP2, count = 1, nowMs = 0, reason = 'resets' as CutReason } = {}) =>
    clients.record({ listener, address, reason, count }, nowMs)
  return { clients, cut, refused }
}

const groups: [address: string, group: string][] = [
  ['203.0.113.7', '203.0.113.7'],
  ['::ffff:203.0.113.7', '203.0.113.7'],
  ['2001:db8:0:1:aaaa::5', '2001:db8:0:1::/64'],
  ['2001:0db8::1', '2001:db8:0:0::/64'],
  ['2001:db8:0:1:2:3:4:5', '2001:db8:0:1::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
]
for (const [address, group] of groups) test(`${address} counts as ${group}`, () => assert.is(addressGroup(address), group))

for (const address of ['127.0.0.1', '::1', '10.1.2.3', '172.16.0.1', '192.168.1.1', '100.64.0.1', 'fd00::1', 'fe80::1', '::ffff:10.0.0.1'])
  test(`${address} is private`, () => assert.ok(isPrivateAddress(address)))
for (const address of ['203.0.113.7', '172.32.0.1', '2001:db8::1', '100.128.0.1'])
  test(`${address} is not private`, () => assert.not(isPrivateAddress(address)))

test('after some cut connections a client is refused for a while', () => {
  const { clients, cut, refused } = made()
  for (const nowMs of [0, 10]) cut(PUBLIC, { nowMs })
  assert.is(clients.refuses(HTTP2, PUBLIC, 20), false)
  assert.is(clients.isOn(), false)
  cut(PUBLIC, { nowMs: 20 })
  assert.is(clients.refuses(HTTP2, PUBLIC, 21), true)
  assert.is(clients.refuses(HTTP2, `::ffff:${PUBLIC}`, 21), true)
  assert.is(clients.refuses(HTTP2, '203.0.113.8', 21), false)
  assert.is(clients.refuses(9, PUBLIC, 21), false, 'a listener without HTTP/2')
  assert.is(clients.refuses(HTTP2, PUBLIC, 1020), false)
  // Connections that were open are cut meanwhile.
  cut(PUBLIC, { nowMs: 30, count: 10 })
  assert.equal(refused, [{ address: PUBLIC, reason: 'resets', cuts: 3, forMs: 1000, more: 0 }])
  assert.match(eventLines.clientRefused(refused[0] as RefusedClient).text, /^refuses new connections of 203\.0\.113\.7 for 1 s: 3 of its/)
})

test('the addresses of one IPv6 network are one client', () => {
  const { clients, cut } = made()
  for (const address of ['2001:db8::1', '2001:db8::2', '2001:db8::3']) cut(address)
  assert.is(clients.refuses(HTTP2, '2001:db8::4', 1), true)
  assert.is(clients.refuses(HTTP2, '2001:db8:0:1::4', 1), false)
})

test('few cuts in a long time refuse nobody', () => {
  const { clients, cut, refused } = made()
  for (let nowMs = 0; nowMs < 100_000; nowMs += 6000) cut(PUBLIC, { nowMs })
  assert.is(clients.refuses(HTTP2, PUBLIC, 100_000), false)
  assert.equal(refused, [])
})

const never: [what: string, address: string, more: { listener?: number; reason?: CutReason }][] = [
  ['a private address', '10.0.0.1', {}],
  ['loopback', '127.0.0.1', {}],
  ['a trusted proxy', '198.51.100.1', {}],
  ['a client that breaks the protocol', PUBLIC, { reason: 'protocol' }],
  ['where the config says never', PUBLIC, { listener: NEVER }],
  ['a listener that the primary does not know', PUBLIC, { listener: 77 }],
]
for (const [what, address, more] of never)
  test(`never refused: ${what}`, () => {
    const { clients, cut } = made()
    cut(address, { ...more, count: 100 })
    assert.is(clients.refuses(more.listener ?? HTTP2, address, 1), false)
  })

test('a private address is refused where the config says so, and a reload ends it', () => {
  const { clients, cut } = made()
  cut('127.0.0.1', { listener: PRIVATE_TOO, count: 3 })
  assert.is(clients.refuses(PRIVATE_TOO, '127.0.0.1', 1), true)
  clients.clear()
  assert.is(clients.refuses(PRIVATE_TOO, '127.0.0.1', 1), false)
})

test('the table and the log are bounded', () => {
  const { clients, cut, refused } = made()
  const address = (index: number): string => `203.${index >> 8}.113.${index & 255}`
  for (let index = 0; index < 2000; index++) cut(address(index), { count: 3 })
  assert.is(clients.refuses(HTTP2, address(0), 1), false)
  assert.is(clients.refuses(HTTP2, address(1999), 1), true)
  assert.is(refused.length, 10)
  cut('203.0.114.1', { count: 3, nowMs: 60_001 })
  assert.is(refused.at(-1)?.more, 1990)
})

test('cut connections are listed once for each client, the last one last, and their number is bounded', () => {
  const cuts = new CutConnections()
  const one = { listener: HTTP2, reason: 'resets', count: 2 } as const
  cuts.record({ ...one, address: '2001:db8::1' }, 1000)
  cuts.record({ ...one, address: PUBLIC }, 2000)
  cuts.record({ ...one, address: '2001:db8::2' }, 3000)
  const [first, last] = cuts.newest
  assert.is(first?.address, PUBLIC)
  assert.equal(last, { ...one, address: '2001:db8:0:0::/64', count: 4, firstMs: 1000, lastMs: 3000 })
  for (let index = 0; index < 300; index++) cuts.record({ ...one, address: `203.0.${index >> 8}.${index & 255}` }, 4000)
  assert.is(cuts.newest.length, 100)
})

test.run()
