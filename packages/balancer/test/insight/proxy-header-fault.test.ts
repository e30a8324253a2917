// Where a refused header of the PROXY protocol stopped being one.

import { assert, suite } from '../../../../test/suite.ts'
import { chosenRuns, chosenSeed } from '../../../../test/support/random.ts'
import { binaryHeader, foundIn, randomHeaders } from '../../../handoff/test/acceptor/support/proxy-headers.ts'
import { proxyHeaderFault } from '../../src/insight/proxy-header-fault.ts'

const test = suite('faults in PROXY protocol headers')
const faultOf = (bytes: Buffer | string) => proxyHeaderFault('proxy-header-invalid', Buffer.from(bytes as string))

for (const [bytes, offset, why] of [
  ['PROXYTCP4 1.2.3.4 5.6.7.8 1 2\r\n', 5, /no space follows PROXY/],
  ['PROXY TCP5 1.2.3.4 5.6.7.8 1 2\r\n', 6, /none of TCP4, TCP6 and UNKNOWN/],
  ['PROXY TCP4 1.2.3.256 5.6.7.8 1 2\r\n', 11, /the source address is not one of TCP4/],
  ['PROXY TCP6 ::1 fe80::1%eth0 1 2\r\n', 15, /the destination address is not one of TCP6/],
  ['PROXY TCP4 1.2.3.4  5.6.7.8 1 2\r\n', 19, /the destination address/],
  ['PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n', 27, /the source port/],
  ['PROXY TCP4 1.2.3.4 5.6.7.8 1 65536\r\n', 29, /the destination port/],
  ['PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n', 28, /no space is before the destination port/],
  ['PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n', 30, /no CRLF follows/],
  ['PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n', 30, /no CRLF follows/],
  ['PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\r\n', 31, /CR without LF/],
  ['PROXY UNKNOWN a\rb\r\n', 15, /CR without LF/],
  ['PROXY UNKNOWN\n', 13, /LF without CR/],
  [`PROXY UNKNOWN ${'a'.repeat(200)}`, 107, /does not end within 107 bytes/],
  [binaryHeader({ command: 0x31 }), 12, /the version is not 2/],
  [binaryHeader({ command: 0x22 }), 12, /neither LOCAL nor PROXY/],
  [binaryHeader({ family: 0x41 }), 13, /the address family/],
  [binaryHeader({ family: 0x13 }), 13, /the transport/],
  [binaryHeader({ length: 11 }), 14, /too small for the addresses/],
  [binaryHeader({ length: 4_081 }), 14, /more than 4096 bytes/],
  [Buffer.concat([binaryHeader({ length: 17 }), Buffer.from([1, 0, 3, 0x68, 0x32])]), 28, /reaches beyond the end/],
  [binaryHeader({ tlvs: [[0x05, 'id'] as const, [0x03, Buffer.alloc(4)] as const] }), 33, /the checksum \(CRC32C\) is wrong/],
] as const)
  test(`${JSON.stringify(bytes.toString('latin1'))}: ${why}`, () => {
    const fault = faultOf(bytes as never)
    assert.is(fault?.offset, offset)
    assert.match(fault?.why ?? '', why)
  })

test('a header that is missing or untrusted is one from its first byte on, and other reasons are no fault of it', () => {
  assert.is(proxyHeaderFault('proxy-header-missing', Buffer.from('GET'))?.offset, 0)
  assert.match(proxyHeaderFault('proxy-header-untrusted', Buffer.from('PROXY'))?.why ?? '', 'proxyProtocol.from does not name')
  assert.is(proxyHeaderFault('not-http', Buffer.from('GET')), undefined)
})

test('of every random header that is invalid, the fault is named, and the bytes before it could begin a header', () => {
  let invalid = 0
  for (const bytes of randomHeaders(chosenSeed, chosenRuns(5_000))) {
    if (foundIn(bytes) !== 'invalid') continue
    invalid++
    const { offset, why } = faultOf(bytes) ?? { offset: -1, why: '' }
    const shown = JSON.stringify(bytes.toString('latin1'))
    assert.match(why, /^the PROXY protocol header is malformed: /, shown)
    assert.ok(offset > 0 && offset <= bytes.length, shown)
    assert.is(foundIn(bytes.subarray(0, Math.max(offset, 1))), 'incomplete', shown)
  }
  assert.ok(invalid > 100)
})

test.run()
