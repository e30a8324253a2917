// The contract of a worker's load row on every transport. The suite of each transport calls it.

import { assert, type suite } from '../../../../test/suite.ts'
import { until, untilEvent } from '../../../../test/support/until.ts'
import { type LoadRow, readClock, responseBoundsMs, type Transport } from '../../src/index.ts'
import { type Client, ContractAcceptor, ContractWorker } from '../contract-worker.ts'

const REPORT = {
  inFlight: 0,
  connections: 0,
  received: 0,
  begun: 6,
  failed: 2,
  loopLagMs: 3,
  utilisation: 0.5,
  latencyMs: 0,
  memoryBytes: 7,
}
const DETAILS = {
  heapUsedBytes: 1,
  heapLimitBytes: 2,
  loopDelay: { p50Ms: 1, p99Ms: 2, maxMs: 3 },
  responses: { counts: [...responseBoundsMs.map(() => 1), 0], sumMs: 40 },
}

/** Runs `body` with a worker in a mode, then removes the worker. */
export type WithWorker = (
  mode: string,
  body: (worker: ContractWorker, load: LoadRow, handOff: () => Promise<Client>) => Promise<void>,
) => Promise<void>

/** Adds the contract to a suite. Returns what the transport's own tests need. */
export function loadBoardContract(test: ReturnType<typeof suite>, transport: Transport): WithWorker {
  const source = new ContractAcceptor(transport)
  const { acceptor } = source
  test.before(() => source.open())
  test.after(() => acceptor.close())

  const withWorker: WithWorker = async (mode, body) => {
    const worker = await new ContractWorker((listener) => transport.openLink(listener)).up(mode)
    const { channel, load } = worker.link
    const handOff = async () => {
      const client = await source.client()
      assert.ok(channel.offer(client.arrival, false))
      return client
    }
    try {
      await body(worker, load, handOff)
    } finally {
      worker.process.kill('SIGKILL')
      await worker.exited
      for (const { fd } of channel.takeBack()) acceptor.drop(fd)
      await worker.close()
    }
  }

  test('a worker is free until it is handed a connection, and again when its loop has turned', async () => {
    await withWorker('claim', async (worker, load, handOff) => {
      await until(() => load.isFree)
      for (let round = 0; round < 3; round++) {
        const { socket, answer } = await handOff()
        assert.equal([load.isFree, load.inFlight, load.connections], [false, 1, 1], 'a hand-off on its way counts')
        worker.link.channel.flush()
        await until(() => answer() !== '')
        await until(() => load.isFree)
        assert.equal([load.inFlight, load.connections], [0, 0])
        worker.link.channel.settle()
        socket.destroy()
      }
      assert.is(load.faults, 0)
    })
  })

  test('a blocked loop shows at once for how long', async () => {
    await withWorker('block', async (worker, load, handOff) => {
      const { socket } = await handOff()
      worker.link.channel.flush()
      await untilEvent(worker.process, 'message')
      const busyMs = await until(() => {
        readClock()
        return load.busyMs > 100 ? load.busyMs : undefined
      })
      assert.ok(busyMs < 5000, `${busyMs} ms`)
      assert.not.ok(load.isFree)
      await until(() => load.isFree, 3000, 'the end of the block')
      assert.is(load.busyMs, 0)
      socket.destroy()
    })
  })

  test('impossible values are ignored and counted', async () => {
    await withWorker('lie', async (worker, load, handOff) => {
      const { socket, answer } = await handOff()
      worker.link.channel.flush()
      await until(() => answer() !== '')
      await until(() => load.isFree)
      load.report({ ...REPORT, received: 1 })
      assert.ok(load.inFlight >= 0)
      assert.ok(load.faults > 0)
      socket.destroy()
    })
  })

  test('the values of reports are in the row', async () => {
    await withWorker('claim', async (worker, load) => {
      await worker.mode('count')
      load.report(REPORT)
      assert.equal([load.loopLagMs, load.utilisation, load.memoryBytes], [3, 0.5, 7])
      assert.is(load.details, undefined)
      load.report({ ...REPORT, details: DETAILS })
      load.report(REPORT)
      assert.equal(load.details, DETAILS, 'details stay until the next ones')
      assert.is(load.faults, 0)
    })
  })

  test('counts of response times that fall are ignored; they and other impossible values of a report are counted', async () => {
    await withWorker('claim', async (_worker, load) => {
      load.report({ ...REPORT, details: DETAILS })
      const fewer = { ...DETAILS.responses, counts: DETAILS.responses.counts.map(() => 0) }
      load.report({ ...REPORT, details: { ...DETAILS, responses: fewer } })
      load.report({ ...REPORT, details: { ...DETAILS, responses: { ...DETAILS.responses, sumMs: 39 } } })
      assert.equal([load.details, load.faults], [DETAILS, 2])
      load.report({ ...REPORT, faults: 3 })
      assert.is(load.faults, 5)
    })
  })

  test('started and failed requests are counted, and turns are counted until the loop is blocked', async () => {
    await withWorker('claim', async (worker, load, handOff) => {
      assert.equal([load.begun, load.failed], [0, 0])
      const before = load.turns
      const { socket } = await handOff()
      worker.link.channel.flush()
      await until(() => load.turns !== before, 3000, 'a turn')
      await worker.mode('count')
      load.report(REPORT)
      assert.equal([load.begun, load.failed], [6, 2])
      await worker.mode('block')
      const other = await handOff()
      worker.link.channel.flush()
      await untilEvent(worker.process, 'message')
      const blocked = load.turns
      await until(() => {
        readClock()
        return load.busyMs > 100
      })
      assert.is(load.turns, blocked)
      await until(() => load.turns !== blocked, 3000, 'the end of the block')
      socket.destroy()
      other.socket.destroy()
    })
  })
  return withWorker
}
