// A connection that its worker has half-closed.

import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { assert, atSuiteEnd, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { destroyWhenQuiet } from '../../src/server/lingering-close.ts'

const test = suite('lingering close', { timeoutMs: 30_000 })

/** Both ends of a connection whose server end is half-closed. */
async function halfClosed(): Promise<{ client: Socket; socket: Socket }> {
  const server = createServer({ allowHalfOpen: true })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const client = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true })
  const socket = await new Promise<Socket>((resolve) => server.once('connection', resolve))
  for (const one of [client, socket]) one.on('error', () => {}).resume()
  atSuiteEnd(() => {
    client.destroy()
    server.close()
  })
  socket.end()
  return { client, socket }
}

test('it closes when the client is quiet, and reads as long as it sends', async () => {
  const [quiet, busy, told] = await Promise.all([halfClosed(), halfClosed(), halfClosed()])
  destroyWhenQuiet(quiet.socket)
  destroyWhenQuiet(busy.socket)
  destroyWhenQuiet(told.socket, () => false)
  const timer = setInterval(() => {
    for (const { client } of [busy, told]) client.write('more')
  }, 50)
  await until(() => quiet.socket.destroyed && told.socket.destroyed)
  assert.not(busy.socket.destroyed)
  clearInterval(timer)
  await until(() => busy.socket.destroyed)
})

test.run()
