// Connections that are given back when the primary has no free descriptor wait in the socket pair.

import { closeSync, openSync } from 'node:fs'
import { devNull } from 'node:os'
import { assert, suite } from '../../../../test/suite.ts'
import { exhaustDescriptors } from '../../../../test/support/descriptors.ts'
import { until, untilEvent } from '../../../../test/support/until.ts'
import { nativeTransport } from '../../src/index.ts'
import { type Client, ContractAcceptor, ContractWorker } from '../contract-worker.ts'

const COUNT = 5
/** Descriptors that are closed to end the shortage. */
const RESERVE = 16
const test = suite('native: returns', { timeoutMs: 20_000 })

test('connections that are given back wait until the primary has descriptors for them', async () => {
  const transport = nativeTransport()
  const source = new ContractAcceptor(transport)
  await source.open()
  const worker = await new ContractWorker((listener) => transport.openLink(listener, COUNT)).up('give-back')
  const { channel } = worker.link
  const clients: Client[] = []
  for (let more = 0; more < COUNT; more++) clients.push(await source.client())
  for (const { arrival } of clients) channel.offer(arrival, false)
  const reserve = Array.from({ length: RESERVE }, () => openSync(devNull, 'r'))
  const claimed = Array.from({ length: COUNT }, () => untilEvent(worker.process, 'message'))
  const end = exhaustDescriptors(process.pid)
  channel.flush()
  await Promise.all(claimed)
  // Settling would close the copies of claimed connections and free descriptors, so it must wait.
  assert.equal(worker.received.givenBack, [])
  assert.ok(clients.every(({ socket }) => !socket.readableEnded))
  for (const fd of reserve) closeSync(fd)
  end()
  await until(() => worker.received.givenBack.length === COUNT, 5_000, 'all of them')
  channel.settle()
  assert.is(channel.claimed, COUNT)
  for (const { fd } of worker.received.givenBack) source.acceptor.drop(fd)
  for (const { socket } of clients) socket.destroy()
  await worker.close()
  source.acceptor.close()
})

test.run()
