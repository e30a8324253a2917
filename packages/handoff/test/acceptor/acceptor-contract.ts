// The contract of an acceptor on every transport, with that of its listeners. The suite of each transport calls it.

import type { Socket } from 'node:net'
import { assert, type suite } from '../../../../test/suite.ts'
import { openDescriptors } from '../../../../test/support/descriptors.ts'
import { until, untilEvent } from '../../../../test/support/until.ts'
import { listenerOf, type Transport } from '../../src/index.ts'
import { HEAD } from '../contract-worker.ts'
import { listenerContract } from './listener-contract.ts'
import { type Arrived, client, withAcceptor } from './open-acceptor.ts'
import { protocolContract } from './protocol-contract.ts'

/** Adds the contract to a suite. */
export function acceptorContract(test: ReturnType<typeof suite>, transport: Transport): void {
  test('a whole head arrives, with the address of its client', async () => {
    await withAcceptor(transport, {}, async ({ acceptor, arrivals, where }) => {
      const { socket } = client(where, HEAD)
      await until(() => arrivals.length === 1)
      const [arrival] = arrivals as [Arrived]
      assert.equal([arrival.target, arrival.address, listenerOf(arrival.tag)], ['/', '127.0.0.1', 0])
      acceptor.drop(arrival.fd)
      // With or without an error, because its bytes may be unread.
      await until(() => socket.readableEnded || socket.destroyed)
      socket.destroy()
    })
  })

  test('a head in pieces waits, and arrives once', async () => {
    await withAcceptor(transport, {}, async ({ acceptor, arrivals, where }) => {
      const { socket } = client(where, HEAD.slice(0, 7))
      await until(() => acceptor.counts.waiting === 1)
      for (const byte of HEAD.slice(7)) {
        socket.write(byte)
        await new Promise((resolve) => setImmediate(resolve))
      }
      await until(() => arrivals.length > 0)
      assert.is(acceptor.counts.waiting, 0)
      assert.is(arrivals.length, 1)
      acceptor.drop(arrivals[0]?.fd as number)
      socket.destroy()
    })
  })

  for (const [title, bytes, status, reason] of [
    ['a head that is too large', `GET /${'a'.repeat(2000)}`, 431, 'head-too-large'],
    ['bytes that are no HTTP', 'hello there, is this a mail server?\r\n\r\n', 400, 'not-http'],
    ['a head that does not end in time', 'GET / HTTP/1.1\r\nHo', 408, 'head-timeout'],
    ['silence', undefined, 408, 'head-timeout'],
  ] as const) {
    test(`${title} is answered ${status}`, async () => {
      await withAcceptor(transport, { headTimeoutMs: 300 }, async ({ acceptor, arrivals, where }) => {
        const { socket, answer } = client(where, bytes)
        await until(() => answer().includes('\r\n\r\n'), 5000, 'an answer')
        assert.match(answer(), new RegExp(`^HTTP/1.1 ${status} `))
        assert.is(acceptor.counts.refused[reason], 1)
        assert.equal(arrivals, [])
        socket.end()
        await until(() => acceptor.counts.lingering === 0)
        socket.destroy()
      })
    })
  }

  test('a refusal arrives whole while its client keeps sending, and lingers for a bounded time', async () => {
    await withAcceptor(transport, {}, async ({ acceptor, where }) => {
      const { socket, answer } = client(where, `GET /${'a'.repeat(2000)}`)
      const pump = setInterval(() => socket.write(Buffer.alloc(4096)), 2)
      await until(() => answer().includes('\r\n\r\n'))
      await until(() => acceptor.counts.lingering === 0, 3000, 'the end of lingering')
      clearInterval(pump)
      assert.match(answer(), /^HTTP\/1.1 431 [\s\S]*\r\n\r\n431 /)
      socket.destroy()
    })
  })

  test('incomplete heads are bounded, in all and per address; a complete one is not', async () => {
    for (const [limits, status] of [
      [{ maxUnrouted: 3 }, 503],
      [{ maxUnroutedPerAddress: 3 }, 429],
    ] as const) {
      await withAcceptor(transport, limits, async ({ acceptor, arrivals, where }) => {
        const held = [1, 2, 3].map(() => client(where, 'GET / HT'))
        await until(() => acceptor.counts.waiting === 3)
        const over = client(where, 'GET / HT')
        await until(() => over.answer().includes('\r\n\r\n'))
        assert.match(over.answer(), new RegExp(`^HTTP/1.1 ${status} `))
        const whole = client(where, HEAD)
        await until(() => arrivals.length === 1)
        acceptor.drop(arrivals[0]?.fd as number)
        for (const { socket } of [...held, over, whole]) socket.destroy()
        await until(() => acceptor.counts.waiting === 0)
      })
    }
  })

  test('without a peek a connection arrives before its client has sent anything', async () => {
    await withAcceptor(transport, { peek: false }, async ({ acceptor, arrivals, where }) => {
      const { socket } = client(where)
      await until(() => arrivals.length === 1)
      assert.is(arrivals[0]?.target, '')
      acceptor.drop(arrivals[0]?.fd as number)
      socket.destroy()
    })
  })

  test('early connections wait until the acceptor accepts', async () => {
    await withAcceptor(transport, { early: true }, async ({ acceptor, arrivals, where }) => {
      const { socket } = client(where, HEAD)
      await untilEvent(socket, 'connect')
      assert.not.ok(acceptor.isAccepting)
      assert.equal(arrivals, [])
      acceptor.accept()
      await until(() => arrivals.length === 1)
      assert.ok(acceptor.isAccepting)
      acceptor.drop(arrivals[0]?.fd as number)
      socket.destroy()
    })
  })

  test('a readmitted connection arrives again, unless its client has hung up', async () => {
    await withAcceptor(transport, {}, async ({ acceptor, arrivals, hungUp, where }) => {
      const { socket } = client(where, HEAD)
      await until(() => arrivals.length === 1)
      const [{ fd, tag }] = arrivals as [Arrived]
      const again = acceptor.readmit({ fd, tag, carried: undefined })
      assert.equal([again?.fd, again?.tag, again?.head.target, again?.head.remoteAddress], [fd, tag, '/', '127.0.0.1'])
      acceptor.watchHangUp(fd)
      socket.resetAndDestroy()
      await until(() => hungUp.length === 1, 3000, 'onHangUp')
      assert.equal(hungUp, [fd])
      acceptor.unwatchHangUp(fd)
      assert.is(acceptor.readmit({ fd, tag, carried: undefined }), undefined)
      assert.is(arrivals.length, 1)
      assert.is(acceptor.counts.closed, 1)
    })
  })

  test('a hang-up is not reported after `unwatchHangUp`', async () => {
    await withAcceptor(transport, {}, async ({ acceptor, arrivals, hungUp, where }) => {
      const { socket } = client(where, HEAD)
      await until(() => arrivals.length === 1)
      const fd = arrivals[0]?.fd as number
      acceptor.watchHangUp(fd)
      acceptor.unwatchHangUp(fd)
      socket.destroy()
      const other = client(where, HEAD)
      await until(() => arrivals.length === 2)
      assert.equal(hungUp, [])
      for (const { fd } of arrivals) acceptor.drop(fd)
      other.socket.destroy()
    })
  })

  test('connections that are held off for a moment still arrive', async () => {
    await withAcceptor(transport, {}, async ({ acceptor, arrivals, where }) => {
      const before = client(where, HEAD)
      await until(() => arrivals.length === 1)
      acceptor.holdOff(1)
      acceptor.holdOff(1)
      const after = client(where, HEAD)
      await until(() => arrivals.length === 2, 3000, 'the end of the hold-off')
      for (const { fd } of arrivals) acceptor.drop(fd)
      for (const { socket } of [before, after]) socket.destroy()
    })
  })

  test('a client that ends its side in the middle of a head is dropped', async () => {
    await withAcceptor(transport, {}, async ({ acceptor, arrivals, where }) => {
      const { socket } = client(where)
      socket.end('GET / HT')
      await until(() => acceptor.counts.closed === 1)
      assert.equal([arrivals.length, acceptor.counts.waiting], [0, 0])
      socket.destroy()
    })
  })

  test('a closed acceptor leaves no descriptor', async () => {
    const before = openDescriptors()
    const clients: { socket: Socket }[] = []
    await withAcceptor(transport, {}, async ({ acceptor, arrivals, where }) => {
      clients.push(client(where, 'GET / HT'), client(where, 'G'), client(where, 'noise\0\0\0\0'), client(where, HEAD))
      await until(() => arrivals.length === 1 && acceptor.counts.waiting === 2 && acceptor.counts.lingering === 1)
      acceptor.drop(arrivals[0]?.fd as number)
    })
    for (const { socket } of clients) socket.destroy()
    await until(() => openDescriptors() <= before, 3000, 'descriptors as before')
  })

  protocolContract(test, transport)
  listenerContract(test, transport)
}
