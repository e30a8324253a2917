// Runs the load board contract on the native load row, and tests what only that row shows.

import { assert, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { nativeTransport } from '../../src/index.ts'
import { loadBoardContract } from '../load/load-board-contract.ts'

const test = suite('native: load board contract')

const withWorker = loadBoardContract(test, nativeTransport())

test('a loop is free when the last hand-off of a batch is answered, before it has turned, and not earlier', async () => {
  await withWorker('free', async (worker, load, handOff) => {
    const freed: unknown[] = []
    worker.process.on('message', (message: { freed?: boolean }) => message.freed !== undefined && freed.push(message.freed))
    await until(() => load.isFree)
    const clients = [await handOff(), await handOff()]
    load.requestNotice()
    worker.link.channel.flush()
    await until(() => freed.length === 2)
    assert.equal(freed, [false, true])
    await until(() => worker.received.turned === 1, 3000, 'the notice')
    for (const { socket } of clients) socket.destroy()
  })
})

test.run()
