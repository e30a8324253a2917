// Whether a request came over TLS, and which proxies may say so.

import type { IncomingMessage } from 'node:http'
import { assert, suite } from '../../../../test/suite.ts'
import { isSecure } from '../../src/server/secure-request.ts'

const test = suite('secure request')

function request(remoteAddress: string | undefined, protocol: string | undefined, encrypted?: boolean): IncomingMessage {
  return { socket: { remoteAddress, encrypted }, headers: { 'x-forwarded-proto': protocol } } as unknown as IncomingMessage
}

for (const [what, from, trusted, secure] of [
  ['no proxy is trusted', '127.0.0.1', [], false],
  ['another is trusted', '10.0.1.1', ['10.0.0.0/24'], false],
  ['the proxy is', '10.0.0.7', ['10.0.0.0/24'], true],
  ['the proxy is, as IPv6 writes it', '::ffff:10.0.0.7', ['10.0.0.0/24'], true],
  ['a proxy on a unix socket is not', undefined, ['10.0.0.0/8'], false],
  ['a proxy on a unix socket is', undefined, ['unix'], true],
] as const) {
  test(`X-Forwarded-Proto, when ${what}`, () => assert.is(isSecure(request(from, 'https'), trusted), secure))
}

test('a trusted proxy may name plain HTTP, or several protocols', () => {
  const said = (protocol: string | undefined) => isSecure(request('10.0.0.7', protocol), ['10.0.0.7'])
  assert.equal(['http', undefined, '', 'httpsx', 'http, https'].map(said), [false, false, false, false, false])
  assert.equal(['https', 'HTTPS', 'https, http'].map(said), [true, true, true])
})

test('TLS at this or another worker needs no field', () => assert.ok(isSecure(request('192.0.2.1', 'http', true), [])))

test('outside a pool no proxy is trusted', () => assert.not(isSecure(request('127.0.0.1', 'https'))))

test.run()
