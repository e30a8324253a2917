// Headers of the PROXY protocol: the examples and rules of the specification, every truncation, and random ones against a second reader.

import { assert, suite } from '../../../../test/suite.ts'
import { chosenRuns, chosenSeed } from '../../../../test/support/random.ts'
import { crc32c, readProxyHeader } from '../../src/acceptor/proxy-header.ts'
import { ProxiedClient } from '../../src/proxied-client.ts'
import { binaryHeader, compareReaders, foundBySecondReader, foundIn, SIGNATURE, tlv } from './support/proxy-headers.ts'

const test = suite('headers of the PROXY protocol', { timeoutMs: 20_000 })
const REQUEST = 'GET / HTTP/1.1\r\nHost: 192.168.0.11\r\n\r\n'

/** What is found in a line of version 1 that a request follows. */
const line = (text: string) => foundIn(Buffer.from(`${text}${REQUEST}`, 'latin1'))
const binary = (bytes: Buffer) => foundIn(Buffer.concat([bytes, Buffer.from(REQUEST)]))

test('version 1: the examples of the specification', () => {
  assert.is(line('PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n'), '47 192.168.0.1 56324 192.168.0.11 443 ')
  assert.is(line('PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n'), '56 255.255.255.255 65535 255.255.255.255 65535 ')
  const all = 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'
  assert.is(line(`PROXY TCP6 ${all} ${all} 65535 65535\r\n`), `104 ${all} 65535 ${all} 65535 `)
  assert.is(line('PROXY UNKNOWN\r\n'), '15 local')
  assert.is(line(`PROXY UNKNOWN ${all} ${all} 65535 65535\r\n`), '107 local')
})

test('version 1: anything that does not match exactly is invalid', () => {
  for (const text of [
    'PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n',
    'PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\r\n',
    'PROXY TCP4 1.2.3.4 5.6.7.8 1\r 2\r\n',
    'PROXY  TCP4 1.2.3.4 5.6.7.8 1 2\r\n',
    'PROXY TCP4  1.2.3.4 5.6.7.8 1 2\r\n',
    'PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n',
    'PROXY\tTCP4 1.2.3.4 5.6.7.8 1 2\r\n',
    'PROXY TCP4 01.2.3.4 5.6.7.8 1 2\r\n',
    'PROXY TCP4 1.2.3.256 5.6.7.8 1 2\r\n',
    'PROXY TCP4 1.2.3 5.6.7.8 1 2\r\n',
    'PROXY TCP4 ::1 ::1 1 2\r\n',
    'PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n',
    'PROXY TCP6 ::1 1.2.3.4 1 2\r\n',
    'PROXY TCP6 1::2::3 ::1 1 2\r\n',
    'PROXY TCP6 1:2:3:4:5:6:7 ::1 1 2\r\n',
    'PROXY TCP6 1:2:3:4:5:6:7:8:9 ::1 1 2\r\n',
    'PROXY TCP6 12345::1 ::1 1 2\r\n',
    'PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n',
    'PROXY TCP6 [::1] ::1 1 2\r\n',
    'PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n',
    'PROXY TCP4 1.2.3.4 5.6.7.8 65536 2\r\n',
    'PROXY TCP4 1.2.3.4 5.6.7.8 -1 2\r\n',
    'PROXY TCP4 1.2.3.4 5.6.7.8 1e3 2\r\n',
    'PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n',
    'PROXY TCP5 1.2.3.4 5.6.7.8 1 2\r\n',
    'PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n',
    'PROXY UNKNOWNS\r\n',
    'PROXY unknown\r\n',
    'PROXY tcp4 1.2.3.4 5.6.7.8 1 2\r\n',
    'PROXY / HTTP/1.1\r\n',
    'PROXYTCP4 1.2.3.4 5.6.7.8 1 2\r\n',
    `PROXY UNKNOWN ${'a'.repeat(92)}\r\n`,
    `PROXY TCP4 ${'1'.repeat(200)}`,
  ]) {
    assert.is(line(text), 'invalid', JSON.stringify(text))
    assert.is(foundBySecondReader(Buffer.from(text, 'latin1')), 'invalid', text)
  }
})

test('bytes of other protocols are no header', () => {
  for (const text of [REQUEST, 'proxy TCP4', ' PROXY TCP4', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', '\r\nGET /', '\x16\x03\x01', 'POST /', 'Q'])
    assert.is(foundIn(Buffer.from(text, 'latin1')), 'none', text)
})

test('version 2: TCP over IPv4 and IPv6, with values behind the addresses', () => {
  assert.is(binary(binaryHeader()), '28 192.0.2.1 40000 198.51.100.2 443 ')
  const values = [[0x01, 'h2'] as const, [0x02, 'example.com'] as const]
  const header = binaryHeader({ source: '2001:db8::1', destination: '::1', tlvs: values })
  assert.is(binary(header), `71 2001:db8::1 40000 ::1 443 ${Buffer.concat(values.map(tlv)).toString('hex')}`)
})

test("version 2: the proxy's own connections, and families without TCP addresses, keep their address", () => {
  assert.is(binary(binaryHeader({ command: 0x20, family: 0 })), '16 local')
  // The length counts, whatever the rest says.
  assert.is(binary(binaryHeader({ command: 0x20 })), '28 local')
  assert.is(binary(binaryHeader({ command: 0x20, family: 0xff })), '28 local')
  assert.is(binary(binaryHeader({ family: 0 })), '16 local')
  assert.is(binary(binaryHeader({ family: 0x12 })), '28 local')
  assert.is(binary(binaryHeader({ family: 0x22, source: '::1', destination: '::1' })), '52 local')
  const unix = Buffer.concat([Buffer.from(SIGNATURE, 'latin1'), Buffer.from([0x21, 0x31, 0, 216]), Buffer.alloc(216, 'a')])
  assert.is(binary(unix), '232 local')
})

test('version 2: other versions, commands, families and lengths are invalid', () => {
  for (const command of [0x01, 0x11, 0x31, 0x22, 0x2f, 0x00]) assert.is(binary(binaryHeader({ command })), 'invalid', `${command}`)
  for (const family of [0x41, 0x13, 0x23, 0x3f, 0xff]) assert.is(binary(binaryHeader({ family })), 'invalid', `${family}`)
  assert.is(binary(binaryHeader({ length: 11 })), 'invalid')
  assert.is(binary(binaryHeader({ source: '::1', destination: '::1', length: 35 })), 'invalid')
  assert.is(binary(binaryHeader({ length: 4081 })), 'invalid')
  assert.is(binary(binaryHeader({ length: 0xffff, command: 0x20 })), 'invalid', 'a bound on memory')
  assert.is(binary(binaryHeader({ tlvs: [[0xe0, Buffer.alloc(4065)]] })).split(' ')[0], '4096')
  assert.is(binary(binaryHeader({ tlvs: [[0xe0, Buffer.alloc(4066)]] })), 'invalid')
  // A value that is cut off, and one byte too many.
  const cut = Buffer.concat([binaryHeader({ length: 12 + 5 }), Buffer.from([1, 0, 3, 0x68, 0x32])])
  assert.is(binary(cut), 'invalid')
  assert.is(binary(Buffer.concat([binaryHeader({ length: 13 }), Buffer.from([4])])), 'invalid')
})

test('version 2: a checksum must be right', () => {
  // RFC 3720, appendix B.4: 32 bytes of zeros, and the bytes 0 to 31.
  assert.is(crc32c(Buffer.alloc(32)), 0x8a9136aa)
  assert.is(crc32c(Buffer.from(Array.from({ length: 32 }, (_, index) => index))), 0x46dd794e)
  const header = binaryHeader({
    tlvs: [
      [0x05, 'id'],
      [0x03, Buffer.alloc(4)],
      [0x04, 'padding'],
    ],
  })
  assert.is(binary(header), 'invalid')
  header.writeUInt32BE(crc32c(header), header.indexOf(Buffer.from([3, 0, 4])) + 3)
  assert.match(binary(header), /^50 192\.0\.2\.1 /)
  header[20] = 9
  assert.is(binary(header), 'invalid')
  assert.is(binary(binaryHeader({ tlvs: [[0x03, 'abc']] })), 'invalid')
})

test('each truncation waits, and reading goes on behind exactly the header', () => {
  for (const header of [
    Buffer.from('PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n'),
    Buffer.from('PROXY TCP6 2001:db8::1 ::1 56324 443\r\n'),
    Buffer.from('PROXY UNKNOWN\r\n'),
    binaryHeader({ tlvs: [[0xea, '\x01vpce-08d2bf15fac5001c9']] }),
    binaryHeader({ source: '2001:db8::1', destination: '::1' }),
    binaryHeader({ command: 0x20, family: 0 }),
    binaryHeader({ family: 0x12 }),
  ]) {
    for (let length = 1; length < header.length; length++) {
      assert.is(foundIn(header.subarray(0, length)), 'incomplete', header.toString('latin1', 0, length))
      // Bytes behind `length` do not count.
      assert.is(readProxyHeader(header, length).outcome, 'incomplete')
    }
    for (const rest of ['', '\r\n', 'PROXY UNKNOWN\r\n', REQUEST]) {
      const found = readProxyHeader(Buffer.concat([header, Buffer.from(rest)]), header.length + rest.length)
      assert.is(found.outcome === 'complete' && found.byteLength, header.length)
    }
  }
})

test('addresses are written as Node writes them', () => {
  for (const [written, read] of [
    ['0:0:0:0:0:0:0:0', '::'],
    ['0:0:0:0:0:0:0:1', '::1'],
    ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
    ['::ffff:192.0.2.1', '::ffff:192.0.2.1'],
    ['::ffff:c000:201', '::ffff:192.0.2.1'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
    ['::2:3:4:5:6:7:8', '0:2:3:4:5:6:7:8'],
  ] as const) {
    const text = `PROXY TCP6 ${written} ::1 1 2\r\n`
    const found = readProxyHeader(Buffer.from(text), text.length)
    assert.is(found.outcome === 'complete' && found.client?.remoteAddress, read, written)
  }
})

test('the packed form is read back, and nothing else is', () => {
  const header = binaryHeader({ tlvs: [[0x02, 'example.com']] })
  const packed = header.subarray(12)
  const client = ProxiedClient.unpack(Buffer.concat([packed, Buffer.from('behind')]))
  assert.equal([client?.remoteAddress, client?.remotePort, client?.packed.length], ['192.0.2.1', 40_000, packed.length])
  for (let length = 0; length < packed.length; length++) assert.is(ProxiedClient.unpack(packed.subarray(0, length)), undefined)
  for (const [at, value] of [
    [0, 0x20],
    [1, 0x12],
    [1, 0],
    [3, 11],
    [3, 255],
    [2, 255],
    [18, 255],
  ] as const) {
    const broken = Buffer.concat([packed, Buffer.alloc(8000)])
    broken[at] = value
    assert.is(ProxiedClient.unpack(broken), undefined, `${at}`)
  }
})

test('random headers: a second reader finds the same', () => {
  const kinds = compareReaders(chosenSeed, chosenRuns(20_000))
  for (const kind of ['none', 'invalid', 'incomplete', 'local', 'proxied']) assert.ok((kinds[kind] ?? 0) > 20, JSON.stringify(kinds))
})

test.run()
