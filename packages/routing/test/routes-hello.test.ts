// Routes that ask for the server name and the protocols of a ClientHello.

import { assert, suite } from '../../../test/suite.ts'
import { type ClientHello, protocolFault, RequestHead, type RouteMatch, RouteTable, routeName, serverNameFault } from '../src/index.ts'
import { hello } from './head/hello-bytes.ts'

const test = suite('routes by ClientHello')

const ROUTES: [pool: string, match: RouteMatch][] = [
  ['path', { path: '/a' }],
  ['host', { host: 'a.example.com' }],
  ['method', { method: 'GET', sni: 'a.example.com' }],
  ['header', { header: { cookie: true } }],
  ['h2', { sni: 'a.example.com', alpn: 'h2' }],
  ['a', { sni: 'A.example.com' }],
  ['below', { sni: '*.example.com' }],
  ['list', { sni: ['b.example.org', '*.example.net'], alpn: ['http/1.1', 'h2'] }],
  ['acme', { alpn: 'acme-tls/1' }],
]
const table = new RouteTable<undefined>(
  ROUTES.map(([pool, match]) => ({ pool, match, policy: undefined, name: pool })),
  { pool: 'rest', match: {}, policy: undefined, name: 'rest' },
)

function headFor(serverName: string | undefined, ...protocols: string[]): RequestHead {
  const bytes = hello({ ...(serverName !== undefined && { serverName }), ...(protocols.length > 0 && { protocols }), hasEch: true })
  return RequestHead.read(bytes, bytes.length, 16_384)
}

const HELLOS: [pool: string, serverName: string | undefined, ...protocols: string[]][] = [
  ['h2', 'a.example.com', 'h2', 'http/1.1'],
  ['h2', 'A.EXAMPLE.COM', 'http/1.1', 'h2'],
  ['a', 'a.example.com', 'http/1.1'],
  ['a', 'a.example.com'],
  ['below', 'b.example.com', 'h2'],
  ['below', 'c.b.example.com'],
  ['rest', 'example.com'],
  ['rest', 'evil-example.com'],
  ['list', 'b.example.org', 'h2'],
  ['list', 'x.example.net', 'http/1.1'],
  ['rest', 'x.example.net', 'H2'],
  ['rest', 'x.example.net'],
  ['acme', 'x.example.net', 'acme-tls/1'],
  ['acme', undefined, 'acme-tls/1'],
  ['rest', undefined, 'h2'],
  ['rest', '10.0.0.1'],
]

test('a hello takes the first route whose conditions it meets, and none that asks for a part of a request', () => {
  for (const [pool, ...parts] of HELLOS) {
    assert.is(table.find(headFor(...parts)).pool, pool, parts.join(' '))
    assert.is(table.explain(headFor(...parts)).route.pool, pool, parts.join(' '))
  }
})

test('no hello is refused', () => {
  assert.is(table.refuses(headFor('a.example.com')), false)
})

test('a request without TLS meets no condition on a hello', () => {
  assert.is(table.find(RequestHead.of({ target: '/', headers: { host: 'b.example.com' } })).pool, 'rest')
  assert.is(table.usesHellos, true)
})

test('a request inside TLS meets the conditions on its hello and on itself', () => {
  const inside: ClientHello = { serverName: 'a.example.com', protocols: ['http/1.1'], ticketNames: [], hasEch: false }
  const poolOf = (target: string, method: string) => {
    const head = RequestHead.of({ method, target, headers: { host: 'b' } })
    let asked = 0
    head.setHelloSource(inside, (source) => {
      asked++
      return source
    })
    const { pool } = table.find(head)
    assert.ok(asked <= 1)
    return pool
  }
  assert.equal([poolOf('/a', 'POST'), poolOf('/', 'GET'), poolOf('/', 'POST')], ['path', 'method', 'a'])
})

test('a table says whether any route asks for hellos', () => {
  const plain = new RouteTable([], { pool: 'rest', match: { sni: 'a' }, policy: undefined, name: 'rest' })
  assert.is(plain.usesHellos, false)
})

test('an explanation names the condition that a hello does not meet', () => {
  const why = (head: RequestHead) => Object.fromEntries(table.explain(head).tried.map((one) => [one.route.name, one.why]))
  assert.equal(why(headFor('x.example.net')), {
    path: 'path unknown is not /a',
    host: 'host unknown is not a.example.com',
    method: 'method unknown is not GET',
    header: 'header cookie is missing',
    h2: 'server name x.example.net is not a.example.com',
    a: 'server name x.example.net is not a.example.com',
    below: 'server name x.example.net is not *.example.com',
    list: 'the client does not offer http/1.1 or h2',
    acme: 'the client does not offer acme-tls/1',
    rest: 'no route matches',
  })
  assert.is(why(headFor(undefined)).a, 'the unknown server name is not a.example.com')
  assert.is(why(RequestHead.of({ target: '/' })).a, 'the connection is not over TLS')
})

test('a route has its conditions in its default name', () => {
  assert.is(routeName({ sni: ['a', 'b'], alpn: 'h2', listener: 443 }), '/* [sni: a|b] [alpn: h2] on 443')
})

test('a server name of a route is a DNS name, with or without a wildcard', () => {
  for (const good of ['example.com', '*.example.com', 'localhost', 'A-b_c.example', 'xn--bcher-kva.example'])
    assert.is(serverNameFault(good), undefined, good)
  for (const [bad, fault] of [
    ['10.0.0.1', 'expected a name'],
    ['::1', 'expected a name'],
    ['bücher.example', 'in ASCII'],
    ['*', 'whole first label'],
    ['a.*.com', 'whole first label'],
    ['*.*.com', 'whole first label'],
    ['', 'a DNS name'],
    ['*.', 'a DNS name'],
    ['a b', 'a DNS name'],
    ['example.com.', 'a DNS name'],
    ['https://example.com', 'expected a name'],
  ] as const)
    assert.match(serverNameFault(bad) ?? '', fault, bad)
})

test('a protocol of a route has 1 to 255 bytes', () => {
  assert.equal(
    ['h2', 'x'.repeat(255), '', 'x'.repeat(256), '€'].map((text) => protocolFault(text) === undefined),
    [true, true, false, false, false],
  )
})

test.run()
