// One certificate: what is read of it, and every fault with what to do.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { assert, atSuiteEnd, suite } from '../../../../test/suite.ts'
import { readCertificate } from '../../src/certificates/certificate.ts'
import { combine, makeCertificate, openssl } from '../support/certificate-maker.ts'

const folder = mkdtempSync(join(tmpdir(), 'switchyard-certificate-'))
atSuiteEnd(() => rmSync(folder, { recursive: true }))
const test = suite('certificate')
const DAY_MS = 86_400_000

const authority = makeCertificate(folder, 'authority', { isAuthority: true, subject: '/CN=Authority' })
const good = makeCertificate(folder, 'good', { names: ['a.example', '*.a.example', '127.0.0.1'], issuer: authority })
const other = makeCertificate(folder, 'other', { names: ['b.example'] })
const nameless = makeCertificate(folder, 'nameless', { subject: '/O=Company' })
const locked = makeCertificate(folder, 'locked', { names: ['c.example'], passphrase: 'open' })

const read = (cert: string, key = cert, more: { passphrase?: string; ocsp?: string; nowMs?: number } = {}) =>
  readCertificate({ place: '', cert, key, ocsp: more.ocsp }, more.passphrase, more.nowMs ?? Date.now())
const faults = (...args: Parameters<typeof read>) => read(...args).faults.map(({ file, message }) => `${file}: ${message}`)
const file = (name: string, text: string | Buffer) => {
  writeFileSync(join(folder, name), text)
  return join(folder, name)
}

test('names, times and texts of a good one', () => {
  const { certificate } = read(good.cert, good.key)
  assert.equal(certificate?.names, ['a.example', '*.a.example', '127.0.0.1'])
  assert.is(certificate?.cert, readFileSync(good.cert, 'utf8'))
  assert.match(certificate?.key ?? '', /^-----BEGIN PRIVATE KEY-----/)
  const lifetime = (certificate?.validToMs ?? 0) - (certificate?.validFromMs ?? 0)
  assert.ok(Math.abs(lifetime - 30 * DAY_MS) < 2 * DAY_MS)
})

test('one file with both, in any order, and with text between the blocks', () => {
  const both = combine(good, join(folder, 'both.pem'))
  assert.is(read(both).certificate?.names[0], 'a.example')
  const text = `Bag Attributes\n${readFileSync(good.key, 'utf8')}subject=/CN=x\n${readFileSync(good.cert, 'utf8')}`
  const { certificate } = read(file('turned.pem', text))
  assert.is(certificate?.cert, readFileSync(good.cert, 'utf8'), 'workers get the certificates without the key')
})

test('an encrypted key with its passphrase is passed on open', () => {
  const { certificate } = read(locked.cert, locked.key, { passphrase: 'open' })
  assert.match(certificate?.key ?? '', /^-----BEGIN PRIVATE KEY-----/)
})

test('the subject is the name of an old certificate without names', () => {
  const old = makeCertificate(folder, 'old', { subject: '/CN=Old.Example' })
  assert.equal(read(old.cert, old.key).certificate?.names, ['old.example'])
})

const swapped = file('swapped.crt', readFileSync(authority.cert, 'utf8') + readFileSync(good.cert, 'utf8'))
openssl('x509', '-in', good.cert, '-outform', 'der', '-out', join(folder, 'good.der'))
const der = join(folder, 'good.der')
const broken = readFileSync(good.cert, 'utf8').replace(/\n[A-Za-z0-9+/]{10}/, '\nAAAAAAAAAA')

const cases: [name: string, found: () => string[], ...expected: RegExp[]][] = [
  [
    'the key of another',
    () => faults(good.cert, other.key),
    /^key: .*other\.key is not the key of .*good\.crt \(a\.example\): name the two/,
  ],
  ['a chain in the wrong order', () => faults(swapped, good.key), /^key: the certificates in .*swapped\.crt are in the wrong order/],
  [
    'expired',
    () => faults(good.cert, good.key, { nowMs: Date.now() + 40 * DAY_MS }),
    /^cert: .*good\.crt has expired on .* GMT: renew it$/,
  ],
  ['not yet valid', () => faults(good.cert, good.key, { nowMs: Date.now() - 2 * DAY_MS }), /^cert: .*is not valid before .* and the clock/],
  ['no names', () => faults(nameless.cert, nameless.key), /^cert: .*nameless\.crt names no host: issue it again with names/],
  ['no such files', () => faults('/none/a', '/none/b'), /^cert: there is no \/none\/a$/, /^key: there is no \/none\/b$/],
  ['no such file, once', () => faults('/none/a'), /^cert: there is no \/none\/a$/],
  ['a folder', () => faults(folder, good.key), /^cert: .* is no file$/],
  ['an empty file', () => faults(file('empty', ''), good.key), /^cert: .*empty is empty$/],
  ['no PEM', () => faults(file('text', 'hello'), good.key), /^cert: .*text is no PEM file$/],
  ['DER', () => faults(der, good.key), /^cert: .*good\.der is no PEM file: it looks like DER, and 'openssl x509 -inform der/],
  ['a key in the place of the certificate', () => faults(good.key, good.key), /^cert: .*has no certificate: .*found PRIVATE KEY$/],
  ['a certificate in the place of the key', () => faults(good.cert, other.cert), /^key: .*other\.crt has no private key$/],
  ['no key in the one file', () => faults(good.cert), /^key: .*has no private key: name the file of the key with 'key'/],
  ['a broken certificate', () => faults(file('broken', broken), good.key), /^cert: .*broken has a certificate that can't be read/],
  ['an encrypted key', () => faults(locked.cert, locked.key), /^key: the key in .* is encrypted: name the environment variable/],
  [
    'a wrong passphrase',
    () => faults(locked.cert, locked.key, { passphrase: 'x' }),
    /^key: .*encrypted, and the passphrase does not open it$/,
  ],
  ['a staple that is none', () => faults(good.cert, good.key, { ocsp: good.cert }), /^ocsp: .* is no OCSP response in DER/],
  ['too long', () => faults(file('long', Buffer.alloc(300_000, 'x')), good.key), /^cert: .*long has 300000 bytes, more than 262144$/],
  [
    'all at once',
    () => faults(nameless.cert, other.key, { nowMs: Date.now() + 40 * DAY_MS, ocsp: '/none' }),
    /^ocsp: there is no \/none$/,
    /has expired/,
    /names no host/,
    /^key: .*is not the key of/,
  ],
]
for (const [name, found, ...expected] of cases)
  test(`fault: ${name}`, () => {
    const all = found()
    assert.is(all.length, expected.length, all.join('\n'))
    for (const [index, one] of expected.entries()) assert.match(all[index] ?? '', one)
  })

test('a key that is too short for OpenSSL', () => {
  const [cert, key] = [join(folder, 'short.crt'), join(folder, 'short.key')]
  openssl('req', '-x509', '-newkey', 'rsa:512', '-nodes', '-subj', '/CN=short.example', '-keyout', key, '-out', cert)
  assert.match(faults(cert, key)[0] ?? '', /^key: OpenSSL does not take .*short\.crt: .*small/)
})

test.run()
