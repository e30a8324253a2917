// Where and why the reading of a faulty head stopped.

import { assert, suite } from '../../../../test/suite.ts'
import { chosenRuns, chosenSeed, seededRandom } from '../../../../test/support/random.ts'
import { headFault } from '../../src/head/head-fault.ts'
import { scanHead } from '../../src/head/head-scan.ts'
import { hello, serverName, vector } from './hello-bytes.ts'

const test = suite('head fault')
const faultOf = (text: string, maxBytes = 16_384) => {
  const bytes = Buffer.from(text, 'latin1')
  return headFault(bytes, bytes.length, maxBytes)
}

for (const [text, offset, why] of [
  ['GE T / HTTP/1.1\r\n', 5, /^the request line is not HTTP\/1: its version/],
  ['\x00ET / HTTP/1.1\r\n', 0, /its method can't contain this byte/],
  ['GET \x01 HTTP/1.1\r\n', 4, /its target can't contain this byte/],
  ['GET / HTTP/2.0\r\n', 11, /its version can't contain this byte/],
  ['GET / HTTP/1.1\nHost: a\r\n\r\n', 14, /a line ends with LF without CR/],
  ['GET / HTTP/1.1\r\nHost: a\n\r\n', 23, /a line ends with LF without CR/],
  ['GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n', 23, /^CR without LF$/],
  ['GET / HTTP/1.1\r\nHost: a\x00\r\n\r\n', 23, /a field contains a control byte/],
  ['GET / HTTP/1.1\r\nHost : a\r\n\r\n', 20, /no name that ends with a colon/],
  ['GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n', 25, /no name that ends with a colon/],
  ['GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nhost: a\r\n\r\n', 31, /more than one Host field/],
  ['GET nowhere HTTP/1.1\r\nHost: a\r\n\r\n', 4, /the target is no path/],
  ['GET / HTTP/1.1\r\nHost: a\r\n', 25, /^the head is incomplete$/],
] as const)
  test(JSON.stringify(text), () => {
    const fault = faultOf(text)
    assert.is(fault?.offset, offset)
    assert.match(fault?.why ?? '', why)
  })

test('a head that is too long stops at its bound', () => {
  assert.equal(faultOf(`GET / HTTP/1.1\r\nX: ${'a'.repeat(100)}`, 64), { offset: 64, why: 'the head does not end within 64 bytes' })
})

test('a whole head has no fault, and neither has TLS', () => {
  assert.is(faultOf('GET / HTTP/1.1\r\nHost: a\r\n\r\n'), undefined)
  assert.is(faultOf('\x16\x03\x01\x02\x00\x01\x00\x00')?.why, 'the ClientHello is incomplete')
})

test('a malformed ClientHello stops where its fault begins, in one record or in several', () => {
  const fault = (bytes: Buffer) => headFault(bytes, bytes.length, 16_384)
  const whole = hello({ serverName: 'a.example', extensions: [Buffer.from([0x12, 0x34, 0, 1, 9])] })
  assert.is(fault(whole), undefined)
  // Behind record, message, version and random, session id, suites, compression, and the length of the extensions.
  const first = 5 + 4 + 34 + 33 + 4 + 2 + 2
  assert.is(whole.readUInt16BE(first), 0x1234)
  const malformed = { why: 'the ClientHello is malformed here' }
  const cutExtension = Buffer.from(whole)
  cutExtension.writeUInt16BE(0x7fff, first + 2)
  assert.equal(fault(cutExtension), { ...malformed, offset: first })
  const twoNames = hello({ serverName: 'a.example', extensions: [serverName('b.example')] })
  const second = twoNames.indexOf(serverName('a.example'))
  assert.equal(fault(twoNames), { ...malformed, offset: second })
  for (const at of [1, 30, second - 9]) {
    const message = twoNames.subarray(5)
    const pieces = [message.subarray(0, at), message.subarray(at)].map((piece) =>
      Buffer.concat([Buffer.from([22, 3, 1]), vector(2, piece)]),
    )
    assert.equal(fault(Buffer.concat(pieces)), { ...malformed, offset: second + 5 }, `${at}`)
  }
  const badRecord = Buffer.concat([Buffer.from([22, 3, 1, 0, 5]), whole.subarray(5, 10), Buffer.from('garbage behind it')])
  assert.equal(fault(badRecord), { offset: 10, why: 'this is no TLS record of a ClientHello, or one that is too long' })
})

test('of any bytes, those before the byte at fault have no fault', () => {
  const random = seededRandom(chosenSeed)
  const pieces = ['GET ', '/', ' HTTP/1.1', '\r\n', '\n', '\r', 'Host: a', 'X: b', ' ', '\x00', ':', 'Host: c\r\n', '\r\n\r\n']
  const isFaulty = (bytes: Buffer, end: number): boolean => {
    const { outcome, protocol, ambiguous } = scanHead(bytes, end)
    return ambiguous || (outcome === 'not-http' && protocol === 'unknown')
  }
  for (let run = 0; run < chosenRuns(2_000); run++) {
    const text = Array.from({ length: 12 }, () => pieces[Math.floor(random() * pieces.length)]).join('')
    const bytes = Buffer.from(`GET / HTTP/1.1\r\n${text}`, 'latin1')
    const fault = headFault(bytes, bytes.length, 16_384)
    if (!isFaulty(bytes, bytes.length)) continue
    assert.ok(fault !== undefined && fault.offset < bytes.length, JSON.stringify(text))
    assert.not.ok(isFaulty(bytes, fault.offset), JSON.stringify(text))
  }
})

test.run()
