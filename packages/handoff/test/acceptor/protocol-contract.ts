// The contract of an acceptor on the protocols that clients speak: ClientHellos as heads, and listeners with a protocol.

import type { ListenerProtocol } from '@switchyard/routing'
import { assert, type suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { hello } from '../../../routing/test/head/hello-bytes.ts'
import type { Transport } from '../../src/index.ts'
import { HEAD } from '../contract-worker.ts'
import { client, endAll, withAcceptor } from './open-acceptor.ts'

const HELLO = hello({ serverName: 'a.example.com', protocols: ['h2'] })
const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
/** SETTINGS, then GOAWAY with PROTOCOL_ERROR. */
const GOAWAY = [...[0, 0, 0, 4, 0, 0, 0, 0, 0], ...[0, 0, 8, 7, 0, 0, 0, 0, 0], ...[0, 0, 0, 0, 0, 0, 0, 1]]
const ALERT = [21, 3, 3, 0, 2, 2, 80]

/** Adds the contract to a suite. */
export function protocolContract(test: ReturnType<typeof suite>, transport: Transport): void {
  test('a ClientHello is a complete head, with its server name and the address of its client', async () => {
    await withAcceptor(transport, {}, async ({ acceptor, arrivals, where }) => {
      const clients = [client(where, HELLO), client(where, Buffer.concat([HELLO, Buffer.from('garbage')]))]
      await until(() => arrivals.length === 2)
      for (const { target, address, serverName, isComplete } of arrivals)
        assert.equal([target, address, serverName, isComplete], ['', '127.0.0.1', 'a.example.com', true])
      endAll(acceptor, arrivals, clients)
    })
  })

  test('a ClientHello in small records and single bytes waits, and arrives once', async () => {
    const bytes = hello({ serverName: 'b.example.com' }, 16)
    await withAcceptor(transport, {}, async ({ acceptor, arrivals, where }) => {
      const drip = client(where, bytes.subarray(0, 1))
      await until(() => acceptor.counts.waiting === 1)
      for (const byte of bytes.subarray(1)) {
        assert.equal(arrivals, [])
        drip.socket.write(Buffer.of(byte))
        await new Promise((resolve) => setImmediate(resolve))
      }
      await until(() => arrivals.length > 0)
      assert.equal([acceptor.counts.waiting, arrivals.length, arrivals[0]?.serverName], [0, 1, 'b.example.com'])
      endAll(acceptor, arrivals, [drip])
    })
  })

  test('a ClientHello that is faulty, or longer than a head may be, is routed by address', async () => {
    await withAcceptor(transport, {}, async ({ acceptor, arrivals, where }) => {
      const faulty = Buffer.from(HELLO).fill(255, 44, 80)
      const clients = [
        client(where, faulty),
        client(where, Buffer.concat([Buffer.from([22, 3, 1, 9, 0, 1, 0, 8, 252]), Buffer.alloc(2_000)])),
      ]
      await until(() => arrivals.length === 2)
      for (const { serverName, isComplete } of arrivals) assert.equal([serverName, isComplete], [undefined, false])
      endAll(acceptor, arrivals, clients)
    })
  })

  test('half a ClientHello is refused with a TLS alert, in time or for want of room', async () => {
    await withAcceptor(transport, { headTimeoutMs: 300, maxUnroutedPerAddress: 1 }, async ({ acceptor, arrivals, where }) => {
      const half = client(where, HELLO.subarray(0, 40))
      await until(() => acceptor.counts.waiting === 1)
      const over = client(where, HELLO.subarray(0, 40))
      for (const { answer } of [over, half]) {
        await until(() => answer().length >= ALERT.length, 5_000, 'an alert')
        assert.equal([...Buffer.from(answer(), 'latin1')], ALERT)
      }
      const { refused } = acceptor.counts
      assert.equal([refused['head-timeout'], refused['too-many-unrouted-per-address'], arrivals.length], [1, 1, 0])
      for (const { socket } of [half, over]) socket.end()
      await until(() => acceptor.counts.lingering === 0)
      for (const { socket } of [half, over]) socket.destroy()
    })
  })

  test('a client that ends within its ClientHello is closed', async () => {
    await withAcceptor(transport, {}, async ({ acceptor, arrivals, where }) => {
      const half = client(where, HELLO.subarray(0, 40))
      half.socket.end()
      await until(() => acceptor.counts.closed === 1)
      assert.equal(arrivals, [])
      half.socket.destroy()
    })
  })

  test('a faulty preface of HTTP/2 is refused with GOAWAY', async () => {
    await withAcceptor(transport, { protocol: 'detect' }, async ({ acceptor, arrivals, where }) => {
      const faulty = client(where, PREFACE.replace('SM', 'XX'))
      await until(() => faulty.answer().length >= GOAWAY.length, 5_000, 'an answer')
      assert.equal([...Buffer.from(faulty.answer(), 'latin1')], GOAWAY)
      faulty.socket.end()
      await until(() => acceptor.counts.lingering === 0)
      endAll(acceptor, arrivals, [faulty])
    })
  })

  const spoken: Record<ListenerProtocol, { arrives: string[]; refuses: string[] }> = {
    detect: { arrives: ['http', 'tls', 'http2'], refuses: ['mail'] },
    http: { arrives: ['http'], refuses: ['tls', 'http2', 'mail'] },
    tls: { arrives: ['tls', 'http', 'http2', 'mail'], refuses: [] },
    http2: { arrives: ['http2'], refuses: ['http', 'tls', 'mail'] },
    tcp: { arrives: ['http', 'tls', 'http2', 'mail'], refuses: [] },
  }
  const first: Record<string, string | Buffer> = { http: HEAD, tls: HELLO, http2: PREFACE, mail: 'EHLO example.com\r\n\r\n' }
  for (const [protocol, { arrives, refuses }] of Object.entries(spoken) as [ListenerProtocol, (typeof spoken)['tcp']][]) {
    test(`a listener for ${protocol} takes ${arrives.join(', ')}${refuses.length === 0 ? '' : `, and refuses ${refuses.join(', ')}`}`, async () => {
      await withAcceptor(transport, { protocol, peek: protocol !== 'tcp' }, async ({ acceptor, arrivals, where }) => {
        const clients = arrives.map((name) => client(where, first[name]))
        await until(() => arrivals.length === arrives.length)
        const complete = arrivals.filter(({ isComplete }) => isComplete).length
        assert.is(complete, { detect: 2, http: 1, tls: 1, http2: 0, tcp: 0 }[protocol])
        // The bytes of another protocol are no head.
        if (protocol === 'tls') assert.equal(new Set(arrivals.map(({ target }) => target)), new Set(['']))
        const refused = refuses.map((name) => client(where, first[name]))
        for (const [index, { answer, socket }] of refused.entries()) {
          const name = refuses[index]
          // A client of HTTP/2, or one that should be.
          const isGoaway = name === 'http2' || (protocol === 'http2' && name === 'mail')
          await until(() => (isGoaway ? answer().length >= GOAWAY.length : answer().includes('\r\n\r\n')), 5_000, 'an answer')
          if (isGoaway) assert.equal([...Buffer.from(answer(), 'latin1')], GOAWAY)
          else assert.match(answer(), /^HTTP\/1.1 400 /)
          socket.end()
        }
        assert.is(acceptor.counts.refused['not-http'], refuses.length)
        await until(() => acceptor.counts.lingering === 0)
        endAll(acceptor, arrivals, [...clients, ...refused])
      })
    })
  }
}
