// Runs the acceptor contract on the native acceptor, and tests what only an acceptor with descriptors can do.

import { connect } from 'node:net'
import { assert, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { type Connection, nativeTransport } from '../../src/index.ts'
import { native } from '../../src/native-module.ts'
import { acceptorContract } from '../acceptor/acceptor-contract.ts'
import { LIMITS } from '../contract-worker.ts'

const test = suite('native: acceptor contract')

acceptorContract(test, nativeTransport())

test('resting connections and incomplete heads are handed over, and can be received back', async () => {
  const arrivals: (Connection & { target: string })[] = []
  const acceptor = nativeTransport().openAcceptor(LIMITS)
  acceptor.start({
    onArrival: ({ fd, tag, carried, head }) => arrivals.push({ fd, tag, carried, target: head.target ?? '' }),
    onHangUp() {},
    onBatchEnd() {},
  })
  const pending: Connection[] = []
  const resting: [Connection, timeoutMs: number | undefined][] = []
  const handOver = () =>
    acceptor.handOver({ onPending: (one) => pending.push(one), onResting: (one, timeoutMs) => resting.push([one, timeoutMs]) })
  const { port = 0 } = await acceptor.listen({ host: '127.0.0.1', port: 0 })
  const { port: silentPort = 0 } = await acceptor.listen({ host: '127.0.0.1', port: 0, peek: false })
  acceptor.accept()
  const [half, silent] = [connect(port, '127.0.0.1'), connect(silentPort, '127.0.0.1')]
  half.write('GET /ha')
  await until(() => acceptor.counts.waiting === 1 && arrivals.length === 1)
  const idle = arrivals.pop() as Connection
  acceptor.rest(idle, 60_000)
  handOver()
  assert.equal([pending.length, resting.length, acceptor.counts.waiting, acceptor.restingCount], [1, 1, 0, 0])
  const [, timeoutMs = 0] = resting.splice(0)[0] as [Connection, number]
  assert.ok(timeoutMs > 0 && timeoutMs <= 60_000, `${timeoutMs}`)

  acceptor.rest(idle, undefined)
  handOver()
  assert.equal(resting, [[{ fd: idle.fd, tag: idle.tag, carried: undefined, proxied: undefined }, undefined]])
  half.write('lf HTTP/1.1\r\nHost: a\r\n\r\n')
  const whole = acceptor.receiveBack(pending[0] as Connection)
  if (whole !== undefined) arrivals.push({ fd: whole.fd, tag: whole.tag, carried: undefined, target: whole.head.target ?? '' })
  await until(() => arrivals.length === 1)
  assert.is(arrivals[0]?.target, '/half')
  for (const { fd } of [idle, arrivals[0] as Connection]) acceptor.drop(fd)
  for (const socket of [half, silent]) socket.destroy()
  acceptor.close()
})

test('when descriptors run short, the connection that has rested longest is closed for one that comes to rest', async () => {
  const arrivals: Connection[] = []
  // Every descriptor is beyond the bound.
  const acceptor = nativeTransport().openAcceptor({ ...LIMITS, descriptorShare: 0 })
  acceptor.start({
    onArrival: ({ fd, tag }) => arrivals.push({ fd, tag, carried: undefined }),
    onHangUp() {},
    onBatchEnd() {},
  })
  const { port = 0 } = await acceptor.listen({ host: '127.0.0.1', port: 0 })
  acceptor.accept()
  const client = connect(port, '127.0.0.1').resume()
  client.on('error', () => {})
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await until(() => arrivals.length === 1)
  acceptor.rest(arrivals[0] as Connection, 60_000)
  assert.is(acceptor.restingCount, 0)
  await until(() => client.closed)
  acceptor.close()
})

test('connections in the queue of an inherited socket are left to the other process, unless this one has accepted from it', async () => {
  const fd = native().listenTcp('127.0.0.1', 0, false, 511, 0)
  const address = { host: '127.0.0.1', port: native().boundPort(fd), path: undefined }
  const client = connect(address.port, '127.0.0.1')
  client.on('error', () => {})
  client.write('GET /first HTTP/1.1\r\nHost: a\r\n\r\n')
  await until(() => client.readyState === 'open')
  const arrivals: string[] = []
  const open = async () => {
    const acceptor = nativeTransport().openAcceptor(LIMITS)
    acceptor.start({
      onArrival: ({ fd: arrived, head }) => {
        arrivals.push(head.target ?? '')
        acceptor.drop(arrived)
      },
      onHangUp() {},
      onBatchEnd() {},
    })
    await acceptor.listen(address, { ...address, fd: native().copyDescriptor(fd) })
    return acceptor
  }
  const idle = await open()
  idle.close()
  assert.equal([arrivals, idle.counts.accepted], [[], 0])
  const serving = await open()
  serving.accept()
  await until(() => arrivals.length === 1)
  assert.equal(arrivals, ['/first'])
  serving.close()
  client.destroy()
  native().closeDescriptor(fd)
})

test.run()
