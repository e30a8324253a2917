// What every channel promises, whatever moves the connections. A suite of an implementation calls it with a way to make one.

import type { ChildProcess } from 'node:child_process'
import { connect, type Socket } from 'node:net'
import { assert, type suite } from '../../../test/suite.ts'
import { openDescriptors } from '../../../test/support/descriptors.ts'
import { until, untilEvent } from '../../../test/support/until.ts'
import { type Arrival, type Channel, Door, listen } from '../src/index.ts'

export interface ChannelUnderTest {
  channel: Channel
  worker: ChildProcess
  close(): Promise<void>
}

const HEAD = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
const LIMITS = {
  maxHeadBytes: 1024,
  headTimeoutMs: 5000,
  maxUnrouted: 100,
  maxUnroutedPerAddress: 100,
  descriptorShare: 0.9,
  lingerTimeoutMs: 500,
  maxResting: 10,
  onLeft: () => {},
}

/** Adds the contract to a suite; `open(window)` makes a channel and the worker at its other end. */
export function channelContract(test: ReturnType<typeof suite>, open: (window: number) => Promise<ChannelUnderTest>): void {
  const arrivals: Arrival[] = []
  let port = 0
  let door: Door

  test.before(async () => {
    door = new Door({ ...LIMITS, onArrival: (arrival) => arrivals.push(arrival), onBatchEnd: () => {} })
    const bound = await listen({ host: '127.0.0.1', port: 0 })
    door.addListener(bound.fd, true)
    door.accept()
    port = bound.port as number
  })
  test.after(() => door.close())

  async function client(): Promise<{ socket: Socket; arrival: Arrival; said: () => string }> {
    const before = arrivals.length
    const socket = connect(port, '127.0.0.1')
    let said = ''
    socket.on('data', (chunk) => {
      said += chunk
    })
    socket.on('error', () => {})
    socket.write(HEAD)
    await until(() => arrivals.length > before, 3000, 'an arrival')
    return { socket, arrival: arrivals[arrivals.length - 1] as Arrival, said: () => said }
  }

  async function withChannel(window: number, mode: string, body: (under: ChannelUnderTest) => Promise<void>): Promise<void> {
    const under = await open(window)
    under.worker.send(mode)
    await untilEvent(under.worker, 'message')
    try {
      await body(under)
    } finally {
      under.channel.takeBack(({ fd }) => door.drop(fd))
      await under.close()
    }
  }

  const settled = (channel: Channel) =>
    until(() => {
      channel.settle(() => {})
      return channel.outstanding === 0
    })

  test('a claimed connection is the worker’s, with every byte and its tag', async () => {
    await withChannel(8, 'claim', async ({ channel }) => {
      const { socket, arrival, said } = await client()
      assert.ok(channel.offer(arrival, false))
      assert.is(channel.outstanding, 1)
      channel.flush()
      await until(() => said() !== '')
      assert.is(said(), `claimed ${HEAD.length} tag ${arrival.tag}\n`)
      await settled(channel)
      assert.is(channel.claimed, 1)
      socket.destroy()
    })
  })

  test('the window bounds what is offered', async () => {
    await withChannel(2, 'hold', async ({ channel }) => {
      const clients = [await client(), await client(), await client()]
      assert.equal(
        clients.map(({ arrival }) => channel.offer(arrival, false)),
        [true, true, false],
      )
      assert.not.ok(channel.hasRoom)
      door.drop((clients[2] as { arrival: Arrival }).arrival.fd)
      for (const { socket } of clients) socket.destroy()
    })
  })

  test('what is taken back can’t be claimed any more, and is whole', async () => {
    await withChannel(8, 'hold', async ({ channel, worker }) => {
      const { socket, arrival, said } = await client()
      channel.offer(arrival, false)
      channel.flush()
      await untilEvent(worker, 'message')
      const back: number[][] = []
      channel.takeBack(({ fd, tag }) => back.push([fd, tag]))
      assert.equal(back, [[arrival.fd, arrival.tag]])
      worker.send('claim-held')
      const [answer] = await untilEvent(worker, 'message')
      assert.equal(answer, { claimed: false })
      const before = arrivals.length
      door.readmit(arrival)
      assert.is(arrivals.length, before + 1)
      assert.is(arrivals[before]?.head.byteLength, HEAD.length)
      assert.is(said(), '')
      door.drop(arrival.fd)
      socket.destroy()
    })
  })

  test('a worker killed with unclaimed connections loses none and leaves no descriptor', async () => {
    const before = openDescriptors()
    await withChannel(64, 'hold', async ({ channel, worker }) => {
      const clients = await Promise.all(Array.from({ length: 1 }, client))
      for (let more = 0; more < 19; more++) clients.push(await client())
      for (const { arrival } of clients) channel.offer(arrival, false)
      channel.flush()
      worker.kill('SIGKILL')
      await untilEvent(worker, 'exit')
      const back = new Set<number>()
      channel.takeBack(({ fd }) => back.add(fd))
      assert.equal([...back].sort(), clients.map(({ arrival }) => arrival.fd).sort())
      for (const fd of back) door.drop(fd)
      for (const { socket } of clients) {
        socket.destroy()
        if (!socket.closed) await untilEvent(socket, 'close')
      }
    })
    await until(() => openDescriptors() <= before, 3000, 'descriptors as before')
  })

  test('an index is used again only with a new word', async () => {
    await withChannel(1, 'claim', async ({ channel }) => {
      for (let round = 0; round < 5; round++) {
        const { socket, arrival, said } = await client()
        assert.ok(channel.offer(arrival, false), `round ${round}`)
        channel.flush()
        await until(() => said() !== '')
        await settled(channel)
        socket.destroy()
      }
      assert.is(channel.claimed, 5)
    })
  })
}
