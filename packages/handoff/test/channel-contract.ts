// The contract of a channel on every transport. The suite of each transport calls it.

import { createHash, randomBytes } from 'node:crypto'
import { assert, type suite } from '../../../test/suite.ts'
import { exhaustDescriptors, openDescriptors } from '../../../test/support/descriptors.ts'
import { until, untilEvent } from '../../../test/support/until.ts'
import type { Channel, Connection, Transport } from '../src/index.ts'
import { type Client, ContractAcceptor, ContractWorker, HEAD } from './contract-worker.ts'

export interface ChannelCases {
  readonly transport: Transport
  /** Cases that the channel cannot do, each with the reason. */
  readonly unable: { readonly takeBackFromLiving?: string }
}

const UPLOADS = 60

/** Adds the contract to a suite. */
export function channelContract(test: ReturnType<typeof suite>, { transport, unable }: ChannelCases): void {
  const source = new ContractAcceptor(transport)
  const { acceptor } = source

  test.before(() => source.open())
  test.after(() => acceptor.close())

  async function withWorker(
    window: number,
    mode: string,
    body: (worker: ContractWorker, channel: Channel) => Promise<void>,
  ): Promise<void> {
    const worker = await new ContractWorker((listener) => transport.openLink(listener, window)).up(mode)
    const { channel } = worker.link
    try {
      await body(worker, channel)
    } finally {
      worker.process.kill('SIGKILL')
      await worker.exited
      channel.readAll()
      for (const { fd } of channel.takeBack()) acceptor.drop(fd)
      await worker.close()
    }
  }

  const settled = (channel: Channel) =>
    until(() => {
      channel.settle()
      return channel.outstanding === 0
    })

  test('a worker gets a claimed connection with every byte and its tag', async () => {
    await withWorker(8, 'claim', async (_worker, channel) => {
      const { socket, arrival, answer } = await source.client()
      assert.ok(channel.offer(arrival, false))
      assert.is(channel.outstanding, 1)
      channel.flush()
      await until(() => answer() !== '')
      assert.is(answer(), `claimed ${HEAD.length} tag ${arrival.tag}\n`)
      await settled(channel)
      assert.is(channel.claimed, 1)
      assert.ok(channel.isSettled)
      socket.destroy()
    })
  })

  test(`${UPLOADS} uploads continue while their connections move, and every SHA-256 is right`, async () => {
    await withWorker(UPLOADS, 'hash', async (_worker, channel) => {
      const bodies = Array.from({ length: UPLOADS }, (_, index) => randomBytes(3 + ((index * 7919) % 300_000)))
      const uploads: (Client & { body: Buffer; first: number })[] = []
      for (const [index, body] of bodies.entries()) {
        const first = index % 3
        uploads.push({ body, first, ...(await source.client(Buffer.concat([Buffer.from(HEAD), body.subarray(0, first)]))) })
      }
      const pause = () => new Promise((resolve) => setImmediate(resolve))
      const send = async ({ body, first, socket, arrival, answer }: Client & { body: Buffer; first: number }) => {
        for (let at = first; at < body.length; at += 20_000) {
          socket.write(body.subarray(at, at + 20_000))
          await pause()
          if (at !== first) continue
          // More bytes are on their way, and more follow.
          assert.ok(channel.offer(arrival, false))
          channel.flush()
        }
        socket.end()
        await until(() => answer().length === 64, 8000, `the sum of ${body.length} bytes`)
        assert.is(answer(), createHash('sha256').update(HEAD).update(body).digest('hex'))
      }
      await Promise.all(uploads.map(send))
    })
  })

  test('the window bounds the hand-offs under way', async () => {
    await withWorker(2, 'hold', async (_worker, channel) => {
      const clients = [await source.client(), await source.client(), await source.client()]
      assert.equal(
        clients.map(({ arrival }) => channel.offer(arrival, false)),
        [true, true, false],
      )
      assert.not.ok(channel.hasRoom)
      acceptor.drop(clients[2]?.arrival.fd as number)
      for (const { socket } of clients) socket.destroy()
    })
  })

  if (unable.takeBackFromLiving === undefined) {
    test('a connection that is taken back can no longer be claimed, and is whole', async () => {
      await withWorker(8, 'hold', async (worker, channel) => {
        const { socket, arrival, answer } = await source.client()
        channel.offer(arrival, false)
        channel.flush()
        await untilEvent(worker.process, 'message')
        const back = channel.takeBack()
        assert.equal(
          back.map(({ fd, tag }) => [fd, tag]),
          [[arrival.fd, arrival.tag]],
        )
        worker.process.send('claim-held')
        const [message] = await untilEvent(worker.process, 'message')
        assert.equal(message, { claimed: false })
        assert.is(answer(), '')
        acceptor.drop(arrival.fd)
        socket.destroy()
      })
    })
  }

  test('a connection that is taken back from an exited worker is whole', async () => {
    await withWorker(8, 'hold', async (worker, channel) => {
      const { socket, arrival, answer } = await source.client()
      channel.offer(arrival, false)
      channel.flush()
      await untilEvent(worker.process, 'message')
      worker.process.kill('SIGKILL')
      await worker.exited
      const back = channel.takeBack()
      assert.equal(
        back.map(({ fd, tag }) => [fd, tag]),
        [[arrival.fd, arrival.tag]],
      )
      assert.is(acceptor.readmit(back[0] as Connection)?.head.byteLength, HEAD.length)
      assert.is(answer(), '')
      acceptor.drop(arrival.fd)
      socket.destroy()
    })
  })

  if (process.platform === 'linux') {
    test('a connection for which the worker has no descriptor comes back whole, and only to the primary', async () => {
      await withWorker(8, 'claim', async (worker, channel) => {
        const { socket, arrival, answer } = await source.client()
        const end = exhaustDescriptors(worker.process.pid as number)
        const back: Connection[] = []
        channel.offer(arrival, false)
        channel.flush()
        await until(() => {
          back.push(...channel.settle())
          return back.length > 0
        })
        assert.equal([back[0]?.fd, back[0]?.tag, channel.outstanding, answer()], [arrival.fd, arrival.tag, 0, ''])
        end()
        channel.offer(acceptor.readmit(back[0] as Connection) as Connection, false)
        channel.flush()
        await until(() => answer() !== '')
        assert.match(answer(), /^claimed \d+ tag \d+\n$/)
        await settled(channel)
        assert.is(channel.claimed, 1)
        socket.destroy()
      })
    })
  }

  test('a worker killed with unclaimed connections loses none and leaves no descriptor', async () => {
    const before = openDescriptors()
    await withWorker(64, 'hold', async (worker, channel) => {
      const clients = []
      for (let more = 0; more < 20; more++) clients.push(await source.client())
      for (const { arrival } of clients) channel.offer(arrival, false)
      channel.flush()
      worker.process.kill('SIGKILL')
      await worker.exited
      channel.readAll()
      const back = channel.takeBack().map(({ fd }) => fd)
      assert.equal([...back].sort(), clients.map(({ arrival }) => arrival.fd).sort())
      for (const fd of back) acceptor.drop(fd)
      for (const { socket } of clients) {
        socket.destroy()
        if (!socket.closed) await untilEvent(socket, 'close')
      }
    })
    await until(() => openDescriptors() <= before, 3000, 'descriptors as before')
  })

  test('a claimed connection is not taken back, however soon its worker exits', async () => {
    for (let round = 0; round < 5; round++) {
      await withWorker(8, 'claim-and-die', async (worker, channel) => {
        const clients = [await source.client(), await source.client()]
        for (const { arrival } of clients) channel.offer(arrival, false)
        channel.flush()
        await worker.exited
        channel.readAll()
        const back = channel.takeBack().map(({ fd }) => fd)
        assert.equal(back, [clients[1]?.arrival.fd])
        assert.is(channel.claimed, 1)
        for (const fd of back) acceptor.drop(fd)
        for (const { socket } of clients) socket.destroy()
      })
    }
  })

  test('connections that are not bound are recalled from a worker with a blocked loop, the oldest first', async () => {
    await withWorker(8, 'block', async (worker, channel) => {
      const clients = [await source.client(), await source.client(), await source.client(), await source.client()]
      const [stuck, second, third, bound] = clients.map(({ arrival }) => arrival) as Connection[] as [
        Connection,
        Connection,
        Connection,
        Connection,
      ]
      channel.offer(stuck, true)
      channel.flush()
      await untilEvent(worker.process, 'message')
      for (const connection of [second, third]) channel.offer(connection, false)
      channel.offer(bound, true)
      channel.flush()
      const recalled: number[] = []
      const recall = (most: number, olderThanMs: number) => recalled.push(...channel.recall(most, olderThanMs).map(({ fd }) => fd))
      recall(10, 100)
      assert.equal(recalled, [], 'none is that old')
      await until(() => {
        recall(1, 20)
        return recalled.length > 0
      })
      assert.equal(recalled, [second.fd])
      recall(10, 0)
      assert.equal(recalled, [second.fd, third.fd])
      assert.is(channel.outstanding, 2)
      for (const fd of recalled) acceptor.drop(fd)
      await until(async () => {
        worker.process.send('claim-held')
        channel.settle()
        return channel.claimed === 2
      })
      for (const { socket } of clients) socket.destroy()
    })
  })

  test('a requested notice comes once, when the loop has turned', async () => {
    await withWorker(8, 'claim', async (worker, channel) => {
      const { load } = worker.link
      const handOver = async () => {
        const { socket, arrival, answer } = await source.client()
        channel.offer(arrival, false)
        load.requestNotice()
        channel.flush()
        await until(() => answer() !== '')
        await settled(channel)
        socket.destroy()
      }
      await handOver()
      await until(() => worker.received.turned === 1, 3000, 'the turn')
      await handOver()
      await until(() => worker.received.turned === 2, 3000, 'the next turn')
      // Before the client ends, which turns the loop once more and would send a notice between the next two lines.
      await new Promise((resolve) => setTimeout(resolve, 100))
      load.requestNotice()
      load.cancelNotice()
      const { socket, arrival, answer } = await source.client()
      channel.offer(arrival, false)
      channel.flush()
      await until(() => answer() !== '')
      await settled(channel)
      assert.is(worker.received.turned, 2)
      socket.destroy()
    })
  })

  test('an index is reused only with a new claim word', async () => {
    await withWorker(1, 'claim', async (_worker, channel) => {
      for (let round = 0; round < 5; round++) {
        const { socket, arrival, answer } = await source.client()
        assert.ok(channel.offer(arrival, false), `round ${round}`)
        channel.flush()
        await until(() => answer() !== '')
        await settled(channel)
        socket.destroy()
      }
      assert.is(channel.claimed, 5)
    })
  })
}
