// What a proxy's values mean to the app.

import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { ProxiedClient, setProxied } from '@switchyard/handoff'
import { assert, suite } from '../../../../test/suite.ts'
import { proxyProtocol } from '../../src/server/proxy-protocol.ts'
import { isSecure } from '../../src/server/secure-request.ts'

const test = suite('values of the PROXY protocol')

const word = (value: number) => Buffer.from([value >> 8, value & 0xff])
const tlv = (type: number, value: Buffer | string) => {
  const bytes = Buffer.from(value as string)
  return Buffer.concat([Buffer.from([type]), word(bytes.length), bytes])
}

/** A request whose proxy has sent these values. */
function request(...tlvs: Buffer[]): IncomingMessage {
  const body = Buffer.concat([Buffer.from([192, 0, 2, 1, 198, 51, 100, 2, 0x9c, 0x40, 0x01, 0xbb]), ...tlvs])
  const socket = { _handle: {} } as unknown as Socket
  setProxied(socket, ProxiedClient.unpack(Buffer.concat([Buffer.from([0x21, 0x11]), word(body.length), body])))
  return { socket, headers: {} } as unknown as IncomingMessage
}

test('addresses, and nothing that was not sent', () => {
  const { values, ...found } = proxyProtocol(request()) as NonNullable<ReturnType<typeof proxyProtocol>>
  assert.equal(values, [])
  assert.equal(JSON.parse(JSON.stringify(found)), {
    ...{ family: 'IPv4', remoteAddress: '192.0.2.1', remotePort: 40_000, localAddress: '198.51.100.2', localPort: 443 },
  })
  assert.is(proxyProtocol({ socket: { _handle: {} }, headers: {} } as unknown as IncomingMessage), undefined)
  assert.is(proxyProtocol({ _handle: null } as unknown as Socket), undefined)
})

test('the values of the specification and of clouds', () => {
  const found = proxyProtocol(
    request(
      tlv(0x01, 'h2'),
      tlv(0x02, 'bücher.example'),
      tlv(0x04, 'padding'),
      tlv(0x05, Buffer.from([0, 255])),
      tlv(0x30, 'blue'),
      tlv(0xe0, Buffer.from([0, 0, 0, 1, 0, 0, 0, 2])),
      tlv(0xea, '\x01vpce-08d2bf15fac5001c9'),
      tlv(0xee, Buffer.from([1, 4, 3, 2, 1])),
    ),
  )
  assert.equal(
    [
      found?.alpn,
      found?.authority,
      found?.uniqueId,
      found?.namespace,
      found?.gcpPscConnectionId,
      found?.awsVpcEndpointId,
      found?.azureLinkId,
    ],
    ['h2', 'bücher.example', Buffer.from([0, 255]), 'blue', 0x1_0000_0002n, 'vpce-08d2bf15fac5001c9', 0x01020304],
  )
  assert.equal(
    found?.values.map(([type]) => type),
    [0x01, 0x02, 0x04, 0x05, 0x30, 0xe0, 0xea, 0xee],
  )
  const other = proxyProtocol(request(tlv(0xea, '\x02x'), tlv(0xee, Buffer.from([1, 2])), tlv(0xe0, 'x')))
  assert.equal([other?.awsVpcEndpointId, other?.azureLinkId, other?.gcpPscConnectionId], [undefined, undefined, undefined])
})

test('how the client is connected to the proxy by TLS', () => {
  const named = [
    tlv(0x21, 'TLSv1.3'),
    tlv(0x22, 'alice'),
    tlv(0x23, 'TLS_AES_128_GCM_SHA256'),
    tlv(0x24, 'RSA-SHA256'),
    tlv(0x25, 'RSA2048'),
  ]
  const ssl = (client: number, verify: number, ...more: Buffer[]) =>
    tlv(0x20, Buffer.concat([Buffer.from([client, 0, 0, 0, verify]), ...more]))
  assert.equal(proxyProtocol(request(ssl(7, 0, ...named)))?.ssl, {
    ...{ encrypted: true, hasCertificate: true, hadCertificate: true, authorized: true },
    ...{ version: 'TLSv1.3', certificateName: 'alice', cipher: 'TLS_AES_128_GCM_SHA256' },
    ...{ signatureAlgorithm: 'RSA-SHA256', keyAlgorithm: 'RSA2048' },
  })
  for (const [client, verify, expected] of [
    [0, 0, [false, false, false, false]],
    [1, 0, [true, false, false, false]],
    [5, 0, [true, false, true, true]],
    [3, 1, [true, true, true, false]],
  ] as const) {
    const { encrypted, hasCertificate, hadCertificate, authorized } = proxyProtocol(request(ssl(client, verify)))?.ssl ?? {}
    assert.equal([encrypted, hasCertificate, hadCertificate, authorized], expected, `${client} ${verify}`)
    assert.is(isSecure(request(ssl(client, verify)), []), client !== 0)
  }
  assert.is(proxyProtocol(request(tlv(0x20, 'abc')))?.ssl, undefined)
  // A value within that is cut off.
  assert.is(proxyProtocol(request(ssl(1, 0, Buffer.from([0x21, 0, 9, 0x54]))))?.ssl?.version, undefined)
})

test.run()
