// Requests of one connection are served one after another, and what waits on it is bounded.

import { createServer, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { assert, atSuiteEnd, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { serveInOrder, upgradeInOrder } from '../../src/forward/request-order.ts'

const test = suite('order of requests')

const HEAD = 'HTTP/1.1\r\nHost: a\r\n'

interface Fixture {
  readonly client: Socket
  /** Begun, in order. */
  readonly served: { readonly url: string; readonly end: () => void; readonly response?: ServerResponse }[]
  readonly announced: { count: number }
  readonly server: Server
  /** What the client has received. */
  readonly received: () => string
}

async function open(): Promise<Fixture> {
  const served: Fixture['served'] = []
  const announced = { count: 0 }
  const server = createServer((request, response: ServerResponse) => {
    announced.count++
    const url = `${request.method} ${request.url}`
    request.resume()
    const end = (): void => void response.end(request.url)
    serveInOrder(request.socket, response, () => {
      served.push({ url, end, response })
      if (server.listenerCount('end at once') > 0) end()
    })
  })
  server.on('upgrade', (request, client) =>
    upgradeInOrder(client, () => served.push({ url: `upgrade ${request.url}`, end: () => void client.end('switched') })),
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  let text = ''
  client.setEncoding('latin1').on('data', (part) => {
    text += part
  })
  atSuiteEnd(() => {
    client.destroy()
    server.closeAllConnections()
    server.close()
  })
  return { client, served, announced, server, received: () => text }
}

test('a request waits for the response to the one before it', async () => {
  const { client, served, announced } = await open()
  client.write(`POST /1 ${HEAD}Content-Length: 1\r\n\r\nxGET /2 ${HEAD}\r\nPOST /3 ${HEAD}Content-Length: 5\r\n\r\nhe`)
  await until(() => announced.count === 3)
  for (const [at, url] of ['POST /1', 'GET /2', 'POST /3'].entries()) {
    await until(() => served.length > at)
    await turn()
    assert.equal([served.length, served[at]?.url], [at + 1, url])
    served[at]?.end()
  }
  client.write(`lloGET /4 ${HEAD}\r\n`)
  await until(() => served.length === 4)
})

test('a connection with requests that wait is not read, and is read again', async () => {
  const { client, served, announced, server, received } = await open()
  const requests = 60_000
  client.write(`GET / ${HEAD}\r\n`.repeat(requests))
  await until(() => announced.count > 1)
  let seen = 0
  for (let quiet = 0; quiet < 200; quiet = announced.count === seen ? quiet + 1 : 0) {
    seen = announced.count
    await turn()
  }
  assert.ok(announced.count < 20_000, `${announced.count} requests wait`)
  server.once('end at once', () => {})
  served[0]?.end()
  await until(() => received().split('HTTP/1.1 200').length > requests)
})

test('an upgrade waits for the responses before it', async () => {
  const { client, served, received } = await open()
  client.write(`POST /1 ${HEAD}Content-Length: 1\r\n\r\nxGET /2 ${HEAD}\r\nGET /3 ${HEAD}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`)
  for (const [at, url] of ['POST /1', 'GET /2', 'upgrade /3'].entries()) {
    await until(() => served.length > at)
    await turn()
    assert.equal([served.length, served[at]?.url], [at + 1, url])
    served[at]?.end()
  }
  await until(() => received().endsWith('switched'))
  assert.match(received(), /\/1.*\/2.*switched$/s)
})

test('a response before an upgrade that waits for its slow client is told to go on', async () => {
  const { client, served, received } = await open()
  client.pause()
  client.write(`GET /1 ${HEAD}\r\nGET /2 ${HEAD}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`)
  await until(() => served.length === 1)
  const response = served[0]?.response as ServerResponse
  assert.not(response.write('x'.repeat(8_000_000)))
  response.once('drain', () => response.end('end of 1'))
  await turn()
  assert.is(served.length, 1)
  client.resume()
  await until(() => served.length === 2)
  served[1]?.end()
  await until(() => received().endsWith('switched'))
  assert.ok(received().includes('end of 1'))
})

test('a client that resets the connection while its upgrade waits ends nothing but its connection', async () => {
  const { client, served, server } = await open()
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve))
  client.write(`GET /1 ${HEAD}\r\nGET /2 ${HEAD}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`)
  const socket = await accepted
  await until(() => served.length === 1)
  await turn()
  client.resetAndDestroy()
  const { response } = served[0] as { response?: ServerResponse }
  await until(() => {
    response?.write('x'.repeat(100_000))
    return socket.destroyed
  })
  assert.is(served.length, 1)
})

test.run()
