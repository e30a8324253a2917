import { assert, suite } from '../../../test/suite.ts'
import { clientAddress, cookie, header, keySource, pathSegment, query, RequestHead } from '../src/index.ts'

const test = suite('keys')

function head(parts: { target?: string; headers?: Record<string, string>; from?: string }): RequestHead {
  const made = RequestHead.of({ target: parts.target ?? '/', headers: parts.headers ?? {} })
  made.remoteAddress = parts.from
  return made
}

test('come from cookie, header, query and path', () => {
  const asked = head({ target: '//cart/42/?user=al%20ice', headers: { cookie: 'connect.sid=abc', 'x-user': 'bob' } })
  assert.is(cookie('connect.sid').of(asked), 'abc')
  assert.is(header('X-User').of(asked), 'bob')
  assert.is(query('user').of(asked), 'al ice')
  assert.is(pathSegment(0).of(asked), 'cart')
  assert.is(pathSegment(1).of(asked), '42')
  assert.is(pathSegment(2).of(asked), undefined)
  assert.is(cookie('connect.sid').name, 'cookie connect.sid')
  assert.throws(() => pathSegment(-1), RangeError)
})

test('are undefined when missing, empty or too long, or when their function throws or returns no string', () => {
  assert.is(cookie('a').of(head({})), undefined)
  assert.is(query('a').of(head({ target: '/?a=' })), undefined)
  assert.is(header('a').of(head({ headers: { a: 'x'.repeat(1024) } }))?.length, 1024)
  assert.is(header('a').of(head({ headers: { a: 'x'.repeat(1025) } })), undefined)
  assert.is(
    keySource('own', () => {
      throw new Error('no')
    }).of(head({})),
    undefined,
  )
  assert.is(keySource('own', (() => 7) as never).of(head({})), undefined)
  assert.is(cookie('a').of(RequestHead.addressOnly()), undefined)
})

test('the client is the right-most hop that is no trusted proxy', () => {
  const proxies = ['10.0.0.0/8', '192.168.1.1', '2001:db8::/32']
  const cases: [why: string, trusted: string[], from: string | undefined, hops: string | undefined, client: string | undefined][] = [
    ['no proxy is trusted', [], '1.2.3.4', '5.6.7.8', '1.2.3.4'],
    ['the peer is not trusted', proxies, '1.2.3.4', '5.6.7.8', '1.2.3.4'],
    ['the peer is trusted', proxies, '10.1.1.1', '5.6.7.8', '5.6.7.8'],
    ['no field', proxies, '10.1.1.1', undefined, '10.1.1.1'],
    ['the left is hearsay', proxies, '10.1.1.1', '6.6.6.6, 5.6.7.8', '5.6.7.8'],
    ['several proxies', proxies, '10.1.1.1', '6.6.6.6, 5.6.7.8,192.168.1.1 , 10.2.2.2', '5.6.7.8'],
    ['every proxy is trusted: the left-most', proxies, '10.1.1.1', '10.3.3.3, 10.2.2.2', '10.3.3.3'],
    ['one address is no network', proxies, '192.168.1.2', '5.6.7.8', '192.168.1.2'],
    ['mapped peer', proxies, '::ffff:10.1.1.1', '5.6.7.8', '5.6.7.8'],
    ['mapped peer, untrusted', proxies, '::ffff:1.2.3.4', '5.6.7.8', '1.2.3.4'],
    ['mapped peer, no proxy trusted', [], '::ffff:1.2.3.4', undefined, '1.2.3.4'],
    ['mapped hop', proxies, '10.1.1.1', '::ffff:5.6.7.8', '5.6.7.8'],
    ['mapped network', ['::ffff:10.0.0.0/104'], '10.1.1.1', '5.6.7.8', '5.6.7.8'],
    ['IPv6', proxies, '2001:db8::1', '2001:DB9:0:0::7', '2001:db9::7'],
    ['IPv6 with port', proxies, '2001:db8::1', '[2001:db9::7]:443', '2001:db9::7'],
    ['IPv4 with port', proxies, '10.1.1.1', '5.6.7.8:4711', '5.6.7.8'],
    ['zone', proxies, 'fe80::1%eth0', undefined, 'fe80::1'],
    ['garbage hop', proxies, '10.1.1.1', 'unknown', '10.1.1.1'],
    ['garbage behind a good hop', proxies, '10.1.1.1', 'unknown, 10.2.2.2', '10.2.2.2'],
    ['octal is garbage', proxies, '10.1.1.1', '0177.0.0.1', '10.1.1.1'],
    ['short form is garbage', proxies, '10.1.1.1', '127.1', '10.1.1.1'],
    ['empty hops are garbage', proxies, '10.1.1.1', '5.6.7.8,', '10.1.1.1'],
    ['unix socket, not trusted', proxies, undefined, '5.6.7.8', undefined],
    ['unix socket, trusted', ['unix'], undefined, '5.6.7.8', '5.6.7.8'],
    ['unix socket, trusted, no field', ['unix'], undefined, undefined, undefined],
    ['unix socket and proxies', ['unix', ...proxies], undefined, '5.6.7.8, 10.1.1.1', '5.6.7.8'],
    ['unix is no address', ['unix'], '1.2.3.4', '5.6.7.8', '1.2.3.4'],
  ]
  for (const [why, trustedProxies, from, hops, client] of cases) {
    const asked = head({ headers: hops === undefined ? {} : { 'x-forwarded-for': hops }, ...(from === undefined ? {} : { from }) })
    assert.is(clientAddress({ trustedProxies }).of(asked), client, why)
  }
})

test('a field of many hops is read up to a bound', () => {
  const asked = head({ from: '10.0.0.1', headers: { 'x-forwarded-for': `5.6.7.8${',10.0.0.2'.repeat(1500)}` } })
  assert.is(clientAddress({ trustedProxies: ['10.0.0.0/8'] }).of(asked), '10.0.0.2')
})

test('trusted proxies are addresses or CIDRs', () => {
  for (const text of ['', 'nginx', '10.0.0.0/33', '10.0.0.0/', '10/8', '::1/129', '10.0.0.0/8/8', '::ffff:10.0.0.0/90', '1.2.3.4/-1']) {
    assert.throws(() => clientAddress({ trustedProxies: [text] }), /expected an address, a CIDR or 'unix'/, text)
  }
})

test.run()
