// Every form of an address.

import * as assert from 'uvu/assert'
import { suite } from '../../../../test/suite.ts'
import type { ListenConfig } from '../../src/config/config.ts'
import { formatAddress, parseListen } from '../../src/config/listen-options.ts'

const test = suite('config listen')
const plain = { host: undefined, port: undefined, path: undefined, ipv6Only: false, backlog: 511, peek: undefined }

const good: [ListenConfig, object][] = [
  [3000, { port: 3000 }],
  [0, { port: 0 }],
  ['3000', { port: 3000 }],
  [':3000', { port: 3000 }],
  ['*:3000', { port: 3000 }],
  ['127.0.0.1:3000', { host: '127.0.0.1', port: 3000 }],
  ['localhost:0', { host: 'localhost', port: 0 }],
  ['[::1]:3000', { host: '::1', port: 3000 }],
  ['[fe80::1%eth0]:3000', { host: 'fe80::1%eth0', port: 3000 }],
  ['/run/app.sock', { path: '/run/app.sock' }],
  ['unix:/run/app.sock', { path: '/run/app.sock' }],
  ['unix:app.sock', { path: '/srv/app.sock' }],
  [
    { port: 80, host: '::', ipv6Only: true, backlog: 5, peek: false },
    { host: '::', port: 80, ipv6Only: true, backlog: 5, peek: false },
  ],
  [{ path: './app.sock' }, { path: '/srv/app.sock' }],
  [
    { port: 80, protocol: 'http' },
    { port: 80, peek: true, protocol: 'http' as const },
  ],
  [
    { port: 443, protocol: 'tls' },
    { port: 443, peek: true, protocol: 'tls' },
  ],
  [
    { path: 'grpc.sock', protocol: 'http2' },
    { path: '/srv/grpc.sock', peek: true, protocol: 'http2' },
  ],
  [
    { port: 25, protocol: 'tcp' },
    { port: 25, peek: false },
  ],
  [
    { port: 80, protocol: 'detect' },
    { port: 80, peek: true },
  ],
]
for (const [listen, expected] of good)
  test(`good: ${JSON.stringify(listen)}`, () => assert.equal(parseListen(listen, '/srv'), { value: { ...plain, ...expected } }))

for (const listen of [
  '',
  'localhost',
  '::1:3000',
  '3000x',
  '127.0.0.1:65536',
  'http://localhost:3000',
  'unix:',
  {},
  { path: 'x', host: 'y' },
  { port: 80, peek: true, protocol: 'http' as const },
  `/${'x'.repeat(107)}`,
]) {
  test(`bad: ${JSON.stringify(listen).slice(0, 40)}`, () => assert.ok('fault' in parseListen(listen, '/srv')))
}

test('a formatted address parses again', () => {
  for (const listen of ['*:3000', '127.0.0.1:3000', '[::1]:3000', '/run/app.sock']) {
    const parsed = parseListen(listen, '/srv')
    assert.is('value' in parsed && formatAddress(parsed.value), listen)
  }
})

test.run()
