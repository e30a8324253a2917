// The option `http2` of listeners: its faults, and what becomes of good values.

import * as assert from 'uvu/assert'
import { suite } from '../../../../test/suite.ts'
import { defaultHttp2 } from '../../src/config/http2-options.ts'
import { resolveSettings } from '../../src/config/resolve.ts'
import { makeCertificate } from '../support/certificate-maker.ts'
import { type FaultCase, faultsOf, folder } from './fault-finder.ts'

const test = suite('HTTP/2 options')
makeCertificate(folder, 'a', { names: ['a.example'] })
const tls = { cert: 'a.crt', key: 'a.key' }
const NEEDS = "listen.http2: needs the protocol 'http2', or 'detect' for clients of HTTP/1.1 too"

const cases: FaultCase[] = [
  [
    'a number',
    { listen: { port: 1, http2: 1 } },
    ['listen.http2: expected true, false or an object such as { maxConcurrentStreams: 128 }, got 1'],
  ],
  [
    'no streams',
    { listen: { port: 1, http2: { maxConcurrentStreams: 0 } } },
    ['listen.http2.maxConcurrentStreams: expected a number of streams from 1 to 65535, got 0'],
  ],
  [
    'an unknown limit',
    { listen: { port: 1, http2: { maxConcurrentStream: 1 } } },
    ["listen.http2.maxConcurrentStream: unknown option (did you mean 'maxConcurrentStreams'?)"],
  ],
  ...['http', 'tls', 'tcp'].map((protocol): FaultCase => [protocol, { listen: { port: 1, http2: true, protocol } }, [NEEDS]]),
  ['no peek', { listen: { port: 1, http2: true, peek: false } }, [NEEDS]],
  [
    'ALPN without it',
    { listen: [{ port: 1, http2: true, tls: { ...tls, alpn: ['http/1.1'] } }] },
    ["listen[0].tls.alpn: leaves out 'h2', which 'http2' needs"],
  ],
  [
    'a listener of the app',
    { unbalanced: [{ port: 1, http2: true }] },
    ['unbalanced[0].http2: has no effect: the app itself listens there'],
  ],
]
for (const [name, config, faults] of cases) test(`fault: ${name}`, () => assert.equal(faultsOf(config as never), faults))

test('the defaults, limits of its own, and the protocols of TLS', () => {
  const listen = [
    { port: 1, http2: true },
    { port: 2, http2: false },
    { port: 3, http2: { idleTimeoutMs: 5 }, tls },
    { port: 4, http2: true, tls: { ...tls, alpn: ['http/1.1', 'h2'] } },
  ]
  const settings = resolveSettings({ app: './server.js', listen } as never, { folder, env: {} } as never)
  const found = (settings.listen ?? []).map((one) => [one.http2, one.tls?.alpn])
  assert.equal(found, [
    [defaultHttp2, undefined],
    [undefined, undefined],
    [{ ...defaultHttp2, idleTimeoutMs: 5 }, ['h2', 'http/1.1']],
    [defaultHttp2, ['http/1.1', 'h2']],
  ])
})

test.run()
