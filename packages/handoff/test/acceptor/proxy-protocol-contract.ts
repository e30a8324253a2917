// The contract of an acceptor for listeners whose connections begin with headers of the PROXY protocol, on every transport.

import { assert, type suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { isHeadComplete, type RefusalReason, type Transport } from '../../src/index.ts'
import { HEAD } from '../contract-worker.ts'
import { client, endAll, type OpenAcceptor, withAcceptor } from './open-acceptor.ts'
import { binaryHeader } from './support/proxy-headers.ts'

const FROM = ['127.0.0.1']
const LINE = 'PROXY TCP4 192.0.2.7 198.51.100.2 56324 443\r\n'

/** Writes each byte in a turn of its own. */
async function drip(socket: { write(bytes: Buffer): unknown }, bytes: Buffer): Promise<void> {
  for (const byte of bytes) {
    socket.write(Buffer.from([byte]))
    await new Promise((resolve) => setImmediate(resolve))
  }
}

async function arrival({ arrivals }: OpenAcceptor, count = 1) {
  await until(() => arrivals.length === count, 5_000, 'an arrival')
  return arrivals[count - 1] as (typeof arrivals)[number]
}

/** Adds the contract to a suite. */
export function proxyProtocolContract(test: ReturnType<typeof suite>, transport: Transport): void {
  for (const [name, header, address] of [
    ['version 1', Buffer.from(LINE), '192.0.2.7'],
    ['version 2', binaryHeader({ source: '2001:db8::7', destination: '::1', tlvs: [[0x02, 'example.com']] }), '2001:db8::7'],
    ['version 2, of the proxy itself', binaryHeader({ command: 0x20, family: 0 }), '127.0.0.1'],
  ] as const) {
    test(`a PROXY header of ${name} is removed, and the head behind it arrives`, () =>
      withAcceptor(transport, { proxyProtocol: { from: FROM } }, async (opened) => {
        const whole = client(opened.where)
        whole.socket.write(Buffer.concat([header, Buffer.from(HEAD)]))
        const first = await arrival(opened)
        const inPieces = client(opened.where)
        await drip(inPieces.socket, Buffer.concat([header, Buffer.from(HEAD)]))
        const second = await arrival(opened, 2)
        const late = client(opened.where)
        late.socket.write(header)
        await until(() => opened.acceptor.counts.waiting === 1)
        late.socket.write(HEAD)
        const third = await arrival(opened, 3)
        for (const one of [first, second, third]) {
          assert.equal([one.target, one.address, isHeadComplete(one.tag)], ['/', address, true])
          assert.is(one.proxied?.remoteAddress, address === '127.0.0.1' ? undefined : address)
          // What comes back from a worker keeps its client.
          const again = opened.acceptor.readmit({ fd: one.fd, tag: one.tag, carried: undefined, proxied: one.proxied })
          assert.equal([again?.head.target, again?.head.remoteAddress, again?.proxied], ['/', address, one.proxied])
        }
        endAll(opened.acceptor, opened.arrivals, [whole, inPieces, late])
      }))
  }

  const refused: [what: string, from: string[], required: boolean, bytes: Buffer | string, reason: RefusalReason][] = [
    ['a request without a header', FROM, true, HEAD, 'proxy-header-missing'],
    ['a malformed line', FROM, false, 'PROXY TCP4 1.2.3.4 5.6.7.8 99999 1\r\n', 'proxy-header-invalid'],
    ['a second header', FROM, true, `${LINE}${LINE}${HEAD}`, 'not-http'],
    ['a header of a peer that is not trusted', ['192.0.2.0/24'], true, `${LINE}${HEAD}`, 'proxy-header-untrusted'],
    ['a binary header of a peer that is not trusted', ['192.0.2.0/24'], false, binaryHeader(), 'proxy-header-untrusted'],
  ]
  for (const [what, from, required, bytes, reason] of refused) {
    test(`${what} is refused: ${reason}`, () =>
      withAcceptor(transport, { proxyProtocol: { from, required } }, async ({ acceptor, arrivals, where }) => {
        const { socket, answer } = client(where)
        socket.write(bytes)
        await until(() => answer().includes('\r\n\r\n'), 5_000, 'an answer')
        assert.match(answer(), /^HTTP\/1\.1 400 /)
        assert.equal([acceptor.counts.refused[reason], arrivals.length], [1, 0])
        socket.destroy()
      }))
  }

  for (const [what, proxyProtocol] of [
    ['where it may be missing', { from: FROM, required: false }],
    ['of a peer that is no proxy', { from: ['192.0.2.0/24'] }],
  ] as const) {
    test(`a request without a PROXY header arrives, ${what}`, () =>
      withAcceptor(transport, { proxyProtocol }, async (opened) => {
        for (const [index, first] of ['', 'P', 'P', '\r\n'].entries()) {
          const { socket } = client(opened.where, first === '' ? undefined : first)
          if (first !== '') await until(() => opened.acceptor.counts.waiting === 1)
          socket.write(first === 'P' ? HEAD.replace('GET', 'OST') : HEAD)
          const { address, proxied } = await arrival(opened, index + 1)
          assert.equal([address, proxied], ['127.0.0.1', undefined])
        }
        endAll(opened.acceptor, opened.arrivals, [])
      }))
  }

  test('a proxy that ends before its header does is closed; a header that does not end in time is refused', () =>
    withAcceptor(transport, { proxyProtocol: { from: FROM }, headTimeoutMs: 300 }, async ({ acceptor, arrivals, where }) => {
      const ended = client(where, LINE.slice(0, 20))
      ended.socket.end()
      await until(() => acceptor.counts.closed === 1)
      const slow = client(where, LINE.slice(0, 20))
      const silent = client(where, LINE)
      await until(() => acceptor.counts.refused['head-timeout'] === 2, 5_000, 'both refusals')
      assert.equal(arrivals, [])
      for (const { socket } of [ended, slow, silent]) socket.destroy()
    }))

  test('a longer header than a head may be is read, and heads have their whole bound behind it', () =>
    withAcceptor(transport, { proxyProtocol: { from: FROM }, maxHeadBytes: 128 }, async (opened) => {
      const header = binaryHeader({ tlvs: [[0xe0, Buffer.alloc(2_000)]] })
      const head = `GET /${'a'.repeat(99)} HTTP/1.1\r\nHost: a\r\n\r\n`
      assert.is(head.length, 126)
      const fits = client(opened.where)
      fits.socket.write(Buffer.concat([header, Buffer.from(head)]))
      assert.is((await arrival(opened)).proxied?.tlvs.length, 2_003)
      const longer = client(opened.where)
      longer.socket.write(Buffer.concat([header, Buffer.from(head.replace('Host: a', 'Host: abcdefg'))]))
      await until(() => opened.acceptor.counts.refused['head-too-large'] === 1)
      endAll(opened.acceptor, opened.arrivals, [fits, longer])
    }))

  test('where heads are not peeked at, the connection arrives with its header, and a refusal gets no answer', () =>
    withAcceptor(transport, { proxyProtocol: { from: FROM }, peek: false }, async (opened) => {
      const { acceptor, where, arrivals } = opened
      const good = client(where, LINE)
      const { address, tag, proxied } = await arrival(opened)
      assert.equal([address, isHeadComplete(tag), proxied?.localPort], ['192.0.2.7', false, 443])
      const bad = client(where, 'SSH-2.0-x\r\n')
      await until(() => acceptor.counts.refused['proxy-header-missing'] === 1)
      await until(() => bad.socket.readableEnded || bad.socket.destroyed)
      assert.is(bad.answer(), '')
      endAll(acceptor, arrivals, [good, bad])
    }))

  test('clients behind a proxy are bounded by their own address, the proxy is not', () =>
    withAcceptor(transport, { proxyProtocol: { from: FROM }, maxUnroutedPerAddress: 2 }, async ({ acceptor, where }) => {
      const waiting = [1, 2, 3, 4, 5].map((last) => client(where, `PROXY TCP4 192.0.2.${last} 192.0.2.200 1 2\r\nGET /`))
      const headless = [1, 2, 3].map(() => client(where, 'PROXY TC'))
      await until(() => acceptor.counts.waiting === 8, 5_000, 'eight that wait')
      const same = client(where, 'PROXY TCP4 192.0.2.5 192.0.2.200 1 2\r\nGET /')
      await until(() => acceptor.counts.waiting === 9)
      const tooMany = client(where, 'PROXY TCP4 192.0.2.5 192.0.2.200 1 2\r\nGET /')
      await until(() => tooMany.answer() !== '', 5_000, 'a refusal')
      assert.match(tooMany.answer(), /^HTTP\/1\.1 429 /)
      assert.is(acceptor.counts.refused['too-many-unrouted-per-address'], 1)
      for (const { socket } of [...waiting, ...headless, same, tooMany]) socket.destroy()
      await until(() => acceptor.counts.waiting === 0)
    }))
}
