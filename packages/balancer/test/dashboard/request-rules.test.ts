// Which requests the dashboard refuses by their headers alone.

import * as assert from 'uvu/assert'
import { suite } from '../../../../test/suite.ts'
import { isLocal, portOf, type RequestFacts, type RequestKind, refusalOf } from '../../src/dashboard/request-rules.ts'

const test = suite('dashboard: request rules')

const good: RequestFacts = {
  hosts: ['127.0.0.1:9400'],
  origin: 'http://127.0.0.1:9400',
  site: 'same-origin',
  contentType: 'application/json',
  remoteAddress: '127.0.0.1',
  isProxied: false,
}

const refused: readonly [title: string, kind: RequestKind, changes: Partial<RequestFacts>, status: number][] = [
  ['a name that was rebound to this address', 'page', { hosts: ['attacker.example:9400'] }, 421],
  ['reading under such a name', 'read', { hosts: ['attacker.example:9400'], origin: 'http://attacker.example:9400' }, 421],
  ['acting under such a name', 'act', { hosts: ['attacker.example'], origin: 'http://attacker.example' }, 421],
  ['a name that begins like an address', 'page', { hosts: ['127.0.0.1.attacker.example:9400'] }, 421],
  ['a name that ends like localhost', 'page', { hosts: ['notlocalhost:9400'] }, 421],
  ['a host with a user', 'page', { hosts: ['127.0.0.1@attacker.example'] }, 421],
  ['an empty host', 'page', { hosts: [''] }, 421],
  ['no host', 'page', { hosts: [] }, 400],
  ['two hosts', 'page', { hosts: ['127.0.0.1:9400', 'attacker.example'] }, 400],
  ['a request of another site', 'act', { site: 'cross-site', origin: 'https://attacker.example' }, 403],
  ['the app on another port of the same host', 'act', { site: 'same-site', origin: 'http://127.0.0.1:3000' }, 403],
  ['another port, from a browser without Sec-Fetch-Site', 'act', { site: undefined, origin: 'http://127.0.0.1:3000' }, 403],
  ['a sandboxed frame', 'act', { site: undefined, origin: 'null' }, 403],
  ['no origin', 'act', { site: undefined, origin: undefined }, 403],
  ['an origin that is no URL', 'act', { site: undefined, origin: 'attacker' }, 403],
  ['an origin with a path', 'act', { site: undefined, origin: 'http://127.0.0.1:9400/' }, 403],
  ['another protocol', 'act', { site: undefined, origin: 'ftp://127.0.0.1:9400' }, 403],
  ['a link that acts', 'act', { site: 'none', origin: undefined }, 403],
  ['a form', 'act', { contentType: 'text/plain' }, 415],
  ['a form with JSON in its type', 'act', { contentType: 'text/plain; application/json' }, 415],
  ['no content type', 'act', { contentType: undefined }, 415],
  ['reading from another site', 'read', { site: 'cross-site', origin: undefined }, 403],
  ['reading from another port', 'read', { site: 'same-site', origin: undefined }, 403],
  ['reading with the origin of another site', 'read', { site: undefined, origin: 'https://attacker.example' }, 403],
]
for (const [title, kind, changes, status] of refused)
  test(`refuses ${title}`, () => assert.is(refusalOf({ ...good, ...changes }, kind, [])?.status, status))

const allowed: readonly [title: string, kind: RequestKind, changes: Partial<RequestFacts>, names?: string[]][] = [
  ['the page itself', 'act', {}],
  ['localhost', 'act', { hosts: ['localhost:9400'], origin: 'http://localhost:9400' }],
  ['IPv6', 'act', { hosts: ['[::1]:9400'], origin: 'http://[::1]:9400' }],
  ['the port of its protocol', 'act', { hosts: ['10.0.0.5'], origin: 'http://10.0.0.5' }],
  ['a proxy with TLS', 'act', { hosts: ['10.0.0.5'], origin: 'https://10.0.0.5' }],
  ['the name in the config', 'act', { hosts: ['Admin.example:9400'], origin: 'http://admin.example:9400' }, ['admin.example']],
  ['a link of another site to the page', 'page', { site: 'cross-site', origin: undefined }],
  ['an address typed by the reader', 'read', { site: 'none', origin: undefined }],
  ['a browser without Sec-Fetch-Site that reads', 'read', { site: undefined, origin: undefined }],
  ['a charset', 'act', { contentType: 'application/json; charset=utf-8' }],
]
for (const [title, kind, changes, names = []] of allowed)
  test(`allows ${title}`, () => assert.is(refusalOf({ ...good, ...changes }, kind, names), undefined))

test('only loopback is local, and never what a proxy has passed on', () => {
  const local = ['127.0.0.1', '127.8.8.8', '::1', '::ffff:127.0.0.1']
  const remote = ['10.0.0.1', '::ffff:10.0.0.1', '1270.0.0.1', '::127.0.0.1', 'fe80::1', '', undefined]
  for (const remoteAddress of local) assert.ok(isLocal({ remoteAddress, isProxied: false }), remoteAddress)
  for (const remoteAddress of remote) assert.not(isLocal({ remoteAddress, isProxied: false }), remoteAddress)
  assert.not(isLocal({ remoteAddress: '127.0.0.1', isProxied: true }))
})

test('a refusal does not repeat what a terminal would take for commands', () => {
  assert.match(refusalOf({ ...good, hosts: ['\x1b[2J'] }, 'page', [])?.why ?? '', "'?[2J'")
})

test('the port of a host', () => assert.equal(['a:9400', '[::1]:80', 'localhost'].map(portOf), ['9400', '80', '80']))

test.run()
