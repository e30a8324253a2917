import { Agent, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { assert, suite } from '../../../../test/suite.ts'
import { untilEvent } from '../../../../test/support/until.ts'
import { challengesConnection, ownStateOf, peerAddressOf } from '../../src/index.ts'

const test = suite('own state of a socket')

/** The state that is found on a socket after two requests with this handler. */
async function after(handle: (request: IncomingMessage, response: ServerResponse) => void): Promise<string | undefined> {
  const states: (string | undefined)[] = []
  const server = createServer((incoming, response) => {
    response.on('close', () => states.push(ownStateOf(incoming.socket)))
    handle(incoming, response)
  })
  server.listen(0, '127.0.0.1')
  await untilEvent(server, 'listening')
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  for (const body of ['', 'x'.repeat(200_000)]) {
    await new Promise<void>((resolve) => {
      const outgoing = request({ port: (server.address() as AddressInfo).port, agent, method: 'POST' }, (answer) => {
        answer.resume().on('end', resolve)
      })
      outgoing.end(body)
    })
  }
  agent.destroy()
  server.close()
  await untilEvent(server, 'close')
  assert.is(states.length, 2)
  return states[1]
}

const answer = (incoming: IncomingMessage, response: ServerResponse) => incoming.resume().on('end', () => response.end('x'.repeat(200_000)))

test('properties that Node adds are not taken for the app’s, whatever the app calls', async () => {
  const state = await after((incoming, response) => {
    const { socket } = incoming
    void [socket.remoteAddress, socket.localPort, socket.address()]
    socket.setTimeout(5_000)
    socket.setKeepAlive(true, 1_000)
    socket.setNoDelay(true)
    socket.cork()
    socket.uncork()
    socket.ref()
    socket.once('close', () => {})
    incoming.setTimeout(1_000)
    response.setTimeout(1_000)
    answer(incoming, response)
  })
  assert.is(state, undefined)
})

test('a property or a symbol of the app’s own is found by its name', async () => {
  const user = Symbol('user')
  const login = (key: string | symbol) => (incoming: IncomingMessage, response: ServerResponse) => {
    ;(incoming.socket as Socket & Record<string | symbol, unknown>)[key] = 'ann'
    answer(incoming, response)
  }
  assert.is(await after(login('user')), 'user')
  assert.is(await after(login(user)), 'Symbol(user)')
})

const challenges: readonly [field: string, value: string | string[], isConnections: boolean][] = [
  ['WWW-Authenticate', 'NTLM', true],
  ['WWW-Authenticate', 'Negotiate', true],
  ['www-authenticate', 'NTLM TlRMTVNTUAAC', true],
  ['WWW-Authenticate', ['Basic realm="x"', 'negotiate'], true],
  ['WWW-Authenticate', 'Basic realm="x", NTLM', true],
  ['Proxy-Authenticate', 'NTLM', true],
  ['WWW-Authenticate', 'Basic realm="NTLM"', false],
  ['WWW-Authenticate', 'Bearer', false],
  ['X-Authenticate', 'NTLM', false],
]

test('a challenge for a login that holds for the connection is noticed', async () => {
  for (const [field, value, isConnections] of challenges) {
    let noticed: boolean | undefined
    await after((incoming, response) => {
      response.writeHead(401, { [field]: value })
      response.on('finish', () => {
        noticed = challengesConnection(response)
      })
      incoming.resume().on('end', () => response.end())
    })
    assert.is(noticed, isConnections, `${field}: ${value}`)
  }
})

test('the address of the peer is read without a trace on the socket, and is undefined when the connection has closed', async () => {
  const found: unknown[] = []
  let closed: Socket | undefined
  await after((incoming, response) => {
    const { socket } = incoming
    closed ??= socket
    const before = Reflect.ownKeys(socket).length
    found.push(peerAddressOf(socket), Reflect.ownKeys(socket).length - before, peerAddressOf(socket) === socket.remoteAddress)
    incoming.resume().on('end', () => response.end())
  })
  assert.equal(found, ['127.0.0.1', 0, true, '127.0.0.1', 0, true])
  assert.is(peerAddressOf(closed as Socket), (closed as Socket).remoteAddress)
})

test.run()
