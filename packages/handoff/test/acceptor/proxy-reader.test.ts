// Which peers a listener believes, and what follows for each kind of first bytes.

import { assert, suite } from '../../../../test/suite.ts'
import { ProxyReader } from '../../src/acceptor/proxy-reader.ts'
import { binaryHeader } from './support/proxy-headers.ts'

const test = suite('readers of the PROXY protocol')
const read = (reader: ProxyReader, bytes: Buffer | string, address: string | undefined) => {
  const outcome = reader.read(Buffer.from(bytes as string), bytes.length, address)
  return typeof outcome === 'string' ? outcome : outcome.byteLength
}

test('peers are believed by address, network, or as a unix socket', () => {
  const reader = new ProxyReader({ from: ['10.0.0.0/8', '2001:db8::/32', '192.0.2.1', 'unix'] })
  for (const address of ['10.255.0.1', '::ffff:10.0.0.1', '2001:db8::7', '192.0.2.1', undefined]) {
    assert.is(reader.trusts(address), true, address)
    assert.is(read(reader, binaryHeader(), address), 28)
  }
  for (const address of ['11.0.0.1', '::1', '2001:db9::1', '192.0.2.2']) assert.is(reader.trusts(address), false, address)
  assert.is(new ProxyReader({ from: ['10.0.0.1'] }).trusts(undefined), false)
  assert.throws(() => new ProxyReader({ from: ['10.0.0.0/33'] }), /trusted proxy '10\.0\.0\.0\/33'/)
})

const broken = 'PROXY TCP4 x\r\n'
for (const [bytes, inside, insideNotRequired, outside] of [
  ['GET / HTTP/1.1\r\n', 'proxy-header-missing', 'direct', 'direct'],
  ['P', 'wait', 'wait', 'wait'],
  ['PROXY', 'wait', 'wait', 'wait'],
  ['PROXY TCP4', 'wait', 'wait', 'proxy-header-untrusted'],
  ['\r\n', 'wait', 'wait', 'wait'],
  ['\r\nGET', 'proxy-header-missing', 'direct', 'direct'],
  ['PUT', 'proxy-header-missing', 'direct', 'direct'],
  [broken, 'proxy-header-invalid', 'proxy-header-invalid', 'proxy-header-untrusted'],
  ['PROXY UNKNOWN\r\n', 15, 15, 'proxy-header-untrusted'],
] as const) {
  test(`${JSON.stringify(bytes)}: ${inside} of a proxy, ${outside} of another peer`, () => {
    const [strict, lenient] = [new ProxyReader({ from: ['10.0.0.1'] }), new ProxyReader({ from: ['10.0.0.1'], required: false })]
    assert.equal(
      [read(strict, bytes, '10.0.0.1'), read(lenient, bytes, '10.0.0.1'), read(strict, bytes, '10.0.0.2'), read(lenient, bytes, '::1')],
      [inside, insideNotRequired, outside, outside],
    )
  })
}

test.run()
