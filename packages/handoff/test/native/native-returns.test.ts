// Connections that come back when the primary has no descriptor left: they wait where they are.

import { closeSync, openSync } from 'node:fs'
import { devNull } from 'node:os'
import { assert, suite } from '../../../../test/suite.ts'
import { exhaustDescriptors } from '../../../../test/support/descriptors.ts'
import { until, untilEvent } from '../../../../test/support/until.ts'
import { nativeTransport } from '../../src/index.ts'
import { type Client, ContractAcceptor, ContractWorker } from '../contract-worker.ts'

const COUNT = 5
/** What it takes to end the shortage. */
const RESERVE = 16
const test = suite('native: returns', { timeoutMs: 20_000 })

test('connections that are given back wait until there are descriptors for them', async () => {
  const transport = nativeTransport()
  const entrance = new ContractAcceptor(transport)
  await entrance.open()
  const worker = await new ContractWorker((listener) => transport.openLink(listener, COUNT)).up('give-back')
  const { channel } = worker.link
  const clients: Client[] = []
  for (let more = 0; more < COUNT; more++) clients.push(await entrance.client())
  for (const { arrival } of clients) channel.offer(arrival, false)
  const reserve = Array.from({ length: RESERVE }, () => openSync(devNull, 'r'))
  const claimed = Array.from({ length: COUNT }, () => untilEvent(worker.process, 'message'))
  const end = exhaustDescriptors(process.pid)
  channel.flush()
  await Promise.all(claimed)
  // Each claim gives the copy of its connection free, so these have to be kept.
  assert.equal(worker.heard.givenBack, [])
  assert.ok(clients.every(({ socket }) => !socket.readableEnded))
  for (const fd of reserve) closeSync(fd)
  end()
  await until(() => worker.heard.givenBack.length === COUNT, 5_000, 'all of them')
  channel.settle()
  assert.is(channel.claimed, COUNT)
  for (const { fd } of worker.heard.givenBack) entrance.acceptor.drop(fd)
  for (const { socket } of clients) socket.destroy()
  await worker.close()
  entrance.acceptor.close()
})

test.run()
