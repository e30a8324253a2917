// Five thousand websockets through an upstream pool for a minute: each echoes all the time, none ends, and none leaves anything behind.

import { connect, createServer, type Socket } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { assert, atSuiteEnd, suite } from '../../../test/suite.ts'
import { openDescriptors } from '../../../test/support/descriptors.ts'
import { until } from '../../../test/support/until.ts'
import { startBalancer } from '../test/e2e/support/running-balancer.ts'

const COUNT = 5_000
const SECONDS = 60
/** Made at the same time. */
const AT_ONCE = 50
const EVERY_MS = 2_000
const HEAD = 'GET /ws HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'
const ACCEPTED = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'
const test = suite('upstream websockets', { timeoutMs: 20 * 60_000 })

test(`${COUNT} websockets for ${SECONDS} s`, async () => {
  const server = createServer((socket) => {
    let isOpen = false
    socket.on('error', () => {})
    socket.on('data', (bytes) => {
      if (isOpen) return void socket.write(bytes)
      isOpen = true
      socket.write(ACCEPTED)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', 4_096, resolve))
  atSuiteEnd(() => void server.close())
  const { port: at } = server.address() as { port: number }
  // A busy machine may stop any of these processes for seconds.
  const upstream = { servers: [`http://127.0.0.1:${at}`], connectTimeoutMs: 60_000 }
  const balancer = await startBalancer({ config: { pools: { up: { workers: 2, upstream, queue: { timeoutMs: 60_000 } } } } })
  const workers = (await balancer.untilAllReady()).pools[0]?.workers.map(({ pid }) => pid) ?? []
  const before = workers.map((pid) => openDescriptors(pid))
  const faults: string[] = []
  const clients: Socket[] = []
  for (let made = 0; made < COUNT; made += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, COUNT - made) }, () => open(balancer.port, (fault) => faults.push(fault)))
    try {
      clients.push(...(await Promise.all(some)))
    } catch (error) {
      const { connections, pools } = await balancer.status()
      const notices = balancer.lines.slice(-10).map(({ msg }) => msg)
      throw new Error(`${clients.length} are open: ${(error as Error).message}\n${JSON.stringify({ connections, pools, notices })}`)
    }
  }
  let echoes = 0
  let slowestMs = 0
  const end = performance.now() + SECONDS * 1000
  const loops = clients.map(async (client, index) => {
    await setTimeout((index / clients.length) * EVERY_MS)
    while (performance.now() < end && faults.length === 0) {
      const began = performance.now()
      const text = `${index} ${began}`
      const came = await echoed(client, text)
      if (came !== text) return void faults.push(`websocket ${index} got '${came}' for '${text}'`)
      echoes++
      slowestMs = Math.max(slowestMs, performance.now() - began)
      await setTimeout(EVERY_MS)
    }
  })
  await Promise.all(loops)
  const open5 = (await balancer.status()).pools[0]?.servers?.[0]
  console.log(JSON.stringify({ websockets: clients.length, echoes, slowestMs: Math.round(slowestMs), inFlight: open5?.inFlight }))
  for (const client of clients) client.destroy()
  assert.equal(faults.slice(0, 5), [])
  for (const [index, pid] of workers.entries())
    await until(() => openDescriptors(pid) <= (before[index] ?? 0), 60_000, `no descriptor more than ${before[index]} in proxy ${index}`)
  assert.is(await balancer.stop(60_000), 0)
})

test.run()

/** Resolves when the server has accepted. */
function open(port: number, onFault: (fault: string) => void): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    let isDone = false
    socket.setEncoding('latin1')
    socket.on('error', reject)
    socket.once('close', () => {
      if (!isDone) return reject(new Error('closed before it was accepted'))
      if (!socket.destroyed || socket.readableEnded) onFault('a websocket was closed')
    })
    socket.once('data', (text: string) => {
      isDone = true
      if (text.startsWith('HTTP/1.1 101')) resolve(socket)
      else reject(new Error(text))
    })
    socket.write(HEAD)
  })
}

/** The next text of that length. */
function echoed(socket: Socket, text: string): Promise<string> {
  return new Promise((resolve) => {
    let came = ''
    const done = (): void => {
      socket.off('data', onData)
      socket.off('close', done)
      resolve(came)
    }
    const onData = (more: string): void => {
      came += more
      if (came.length >= text.length) done()
    }
    socket.on('data', onData)
    socket.once('close', done)
    socket.write(text)
  })
}
