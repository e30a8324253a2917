// Reports of bad heads: a bounded number, escaped bytes, and no secret in them.

import { hash, header, type ListenerProtocol, leastBusy, query, sticky } from '@switchyard/routing'
import { assert, suite } from '../../../../test/suite.ts'
import { headText } from '../../src/cli/insight/errors.ts'
import { BadHeads } from '../../src/decisions/bad-heads.ts'
import { reportBadHead, secretNamesOf } from '../../src/insight/bad-head-report.ts'

const test = suite('bad head report')
const routes = [
  { name: 'a', match: {}, pool: 'web', policy: sticky({ by: hash(header('x-tenant')) }) },
  { name: 'b', match: {}, pool: 'web', policy: sticky({ by: hash(query('who')) }) },
]
const names = secretNamesOf({ routes, defaultPolicy: leastBusy() })

function reportOf(text: string | Buffer, expected: ListenerProtocol = 'detect') {
  const heads = new BadHeads()
  const bytes = typeof text === 'string' ? Buffer.from(text, 'latin1') : text
  heads.record({ reason: 'not-http', address: '192.0.2.1', bytes, maxHeadBytes: 65_536, expected })
  return reportBadHead(heads.newest[0] as never, names)
}

test('the newest 100 are kept, oldest first, of each at most 16 KiB, as copies', () => {
  const heads = new BadHeads()
  const bytes = Buffer.alloc(20_000, 'a')
  const head = { reason: 'not-http', address: undefined, bytes, maxHeadBytes: 16_384, expected: 'detect' } as const
  for (let count = 0; count < 250; count++) heads.record(head)
  bytes.fill('b')
  assert.equal([heads.newest.length, heads.newest[0]?.number, heads.newest.at(-1)?.number], [100, 151, 250])
  assert.ok(heads.newest.every((head) => head.bytes.length === 16_384 && head.length === 20_000 && head.bytes[0] === 'a'.charCodeAt(0)))
})

for (const line of [
  'Cookie: sid=SECRET',
  'cookie : SECRET',
  'Cookie\x00: SECRET',
  'Cookie SECRET',
  'Cookie: a=b\r\n SECRET',
  'Authorization: Basic SECRET',
  'Proxy-Authorization: SECRET',
  'X-Api-Key: SECRET',
  'X-CSRF-Token: SECRET',
  'X-Tenant: SECRET',
  'Set-Cookie: SECRET',
  'Referer: https://a/?session=SECRET',
  'Cookie: x\rSECRET-is-on-a-line-of-its-own'.replace('\rSECRET-is-on-a-line-of-its-own', '\r\tSECRET'),
])
  test(`masks ${JSON.stringify(line)}`, () => {
    const report = reportOf(`GET /?who=SECRET&token=SECRET HTTP/1.1\r\nHost: a\r\nHost: b\r\n${line}\r\n\r\n`)
    assert.not.match(JSON.stringify(report), 'SECRET')
    assert.not.match(headText(report), 'SECRET')
    assert.match(headText(report), /Host: b/)
  })

test('every byte is escaped, and offsets are those of the lines', () => {
  const report = reportOf(Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)))
  const shown = report.lines.map(({ text }) => text).join('')
  assert.match(shown, /^[\x20-\x7e]*$/)
  assert.match(shown, '\\x00\\x01')
  assert.match(shown, '\\x1b')
  assert.match(shown, '\\\\')
  assert.equal(
    report.lines.map(({ offset }) => offset),
    [0, 11, 14],
  )
  assert.equal([report.offset, report.byte], [0, 0])
})

test('long heads are cut around the byte at fault', () => {
  const text = headText(reportOf(`GET / HTTP/1.1\r\n${'A: 1\r\n'.repeat(50)}X: ${'y'.repeat(2_000)}\x01${'z'.repeat(2_000)}\r\n\r\n`))
  assert.ok(text.length < 1_000)
  assert.match(text, /^ {2}> \d+ {2}…y+\\x01z+…$/m)
  assert.match(text, /^ {4}…$/m)
  assert.match(text, 'at byte 0x01')
})

for (const [expected, text, why] of [
  ['tls', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', 'the listener expects TLS, and this is no ClientHello'],
  ['tls', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'the listener expects TLS, and the client speaks HTTP/2'],
  ['http', '\x16\x03\x01\x00\x05\x01\x00\x00', 'the listener expects HTTP/1, and the client speaks TLS'],
  ['http2', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', 'the listener expects HTTP/2, and this is no preface'],
] as const)
  test(`the client speaks another protocol than its listener: ${why}`, () => {
    const report = reportOf(text, expected)
    assert.equal([report.offset, report.byte, report.why], [0, text.charCodeAt(0), why])
  })

test.run()
