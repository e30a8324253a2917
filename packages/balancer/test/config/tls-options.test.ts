// The options of TLS listeners: their faults, and what becomes of good ones.

import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { suite } from '../../../../test/suite.ts'
import { resolveSettings } from '../../src/config/resolve.ts'
import { loadTlsFor } from '../../src/config/tls-options.ts'
import { makeCertificate } from '../support/certificate-maker.ts'
import { type FaultCase, faultsOf, folder } from './fault-finder.ts'

const test = suite('TLS options')
const a = makeCertificate(folder, 'a', { names: ['a.example'] })
makeCertificate(folder, 'locked', { names: ['b.example'], passphrase: 'open' })
const pair = { cert: 'a.crt', key: 'a.key' }
const on = (tls: object, more: object = {}) => ({ listen: [80, { port: 443, tls, ...more }] })

const cases: FaultCase[] = [
  ['no certificate', on({}), ["listen[1].tls: expected a certificate: 'cert' and 'key', 'certificates' or 'folder'"]],
  ['a key alone', on({ key: 'a.key', folder: '.' }), ["listen[1].tls.key: belongs to 'cert', which is missing"]],
  ['an unknown preset', on({ ...pair, preset: 'old' }), ["listen[1].tls.preset: expected 'modern' or 'intermediate', got 'old'"]],
  ['an unknown option', on({ ...pair, chain: 'a' }), ['listen[1].tls.chain: unknown option']],
  [
    'a variable that is not set',
    on({ ...pair, passphraseFrom: 'PASS' }),
    ['listen[1].tls.passphraseFrom: the environment variable PASS is not set'],
  ],
  [
    'a negative age',
    on({ ...pair, hsts: -1 }),
    ['listen[1].tls.hsts: expected seconds from 0 to 315360000, such as 31536000 for a year, got -1'],
  ],
  [
    'preload without subdomains',
    on({ ...pair, hsts: { maxAge: 31536000, preload: true } }),
    ["listen[1].tls.hsts.preload: browsers take a site with 'includeSubDomains' and a maxAge from 31536000 only"],
  ],
  ['peek', on(pair, { peek: false }), ["listen[1].peek: has no effect with 'tls': the client sends first"]],
  [
    'a redirect on the TLS listener',
    on(pair, { redirectToHttps: true }),
    ["listen[1].redirectToHttps: belongs to a listener without 'tls'"],
  ],
  [
    'challenges on the TLS listener',
    on(pair, { acmeFolder: 'acme' }),
    ["listen[1].acmeFolder: belongs to the listener on port 80, without 'tls': HTTP-01 challenges are plain HTTP"],
  ],
  [
    'a redirect to nowhere',
    { listen: { port: 80, redirectToHttps: true } },
    ["listen.redirectToHttps: needs an address with 'tls' to redirect to, or the port of one: { port: 443 }"],
  ],
  [
    'a redirect with another status',
    { listen: { port: 80, redirectToHttps: { port: 443, status: 303 } } },
    ['listen.redirectToHttps.status: expected 301, 302, 307 or 308, got 303'],
  ],
  [
    'on an unbalanced address',
    { unbalanced: [{ port: 9464, tls: pair }] },
    ['unbalanced[0].tls: has no effect: the app itself listens there'],
  ],
  ['a file', on({ cert: 'none.crt', key: 'a.key' }), [`listen[1].tls.cert: there is no ${join(folder, 'none.crt')}`]],
  [
    'files of several certificates',
    on({ certificates: [pair, { cert: 'locked.crt', key: 'locked.key' }], mutual: { ca: 'a.key' } }),
    [
      `listen[1].tls.certificates[1].key: the key in ${join(folder, 'locked.key')} is encrypted: name the environment variable of its passphrase with 'passphraseFrom'`,
      `listen[1].tls.mutual.ca: ${join(folder, 'a.key')} has no certificate of an authority`,
    ],
  ],
]

test.before(() => loadTlsFor(on(pair)))
for (const [name, config, faults] of cases) test(`fault: ${name}`, () => assert.equal(faultsOf(config), faults))

test('settings of a good one', () => {
  const settings = resolveSettings(
    {
      app: 'server.js',
      listen: [
        { port: 80, redirectToHttps: true, acmeFolder: 'acme' },
        { port: 8443, tls: { ...pair, certificates: [{ cert: 'locked.crt', key: 'locked.key' }], passphraseFrom: 'PASS', hsts: 60 } },
      ],
    },
    { folder, env: { PASS: 'open' } },
  )
  const [plain, secure] = settings.listen ?? []
  assert.equal([plain?.redirectToHttps, plain?.acmeFolder], [{ port: 8443, status: 308 }, join(folder, 'acme')])
  assert.equal(secure?.tls?.certificates[0], { place: '', ...a, ocsp: undefined })
  const { passphrase, preset, hsts, handshakeTimeoutMs, alpn, mutual } = secure?.tls ?? {}
  assert.equal(
    [passphrase, preset, hsts, handshakeTimeoutMs, alpn, mutual],
    ['open', 'intermediate', 'max-age=60', 10_000, undefined, undefined],
  )
  assert.is(settings.configVariables.PASS, 'open', 'workers do not inherit it')
})

test.run()
