// Lists a server's connections by private fields of Node, which every version must have.

import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect, createServer as createNetServer, type Socket } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { assert, suite } from '../../../../test/suite.ts'
import { until, untilEvent } from '../../../../test/support/until.ts'
import {
  canListIdleConnections,
  connectionCountOf,
  httpConnectionsOf,
  idleConnectionsOf,
  publishConnections,
  responseOn,
} from '../../src/index.ts'

const test = suite('server connections')
const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'

let server: Server
let answers: (() => void)[] = []

test.before(async () => {
  server = createServer((_request, response) => answers.push(() => response.end('ok')))
  server.on('upgrade', (_request, socket: Socket) =>
    socket
      .on('end', () => socket.end())
      .resume()
      .write('HTTP/1.1 101 Switching Protocols\r\n\r\n'),
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})
test.before.each(async () => {
  answers = []
  await until(() => connectionCountOf(server) === 0)
})
test.after(() => server.close())

async function client(): Promise<{ socket: Socket; own: Socket; answer: () => string }> {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  let answer = ''
  socket.on('data', (text) => {
    answer += text
  })
  const [own] = (await untilEvent(server, 'connection')) as [Socket]
  return { socket, own, answer: () => answer }
}

const isIdle = (own: Socket) => idleConnectionsOf(server)?.has(own)
const states = (own: Socket) => [isIdle(own), responseOn(own) !== undefined]

test('a connection is idle when everything that was read is answered', async () => {
  const { socket, own, answer } = await client()
  assert.is(responseOn(own), undefined)
  socket.write(GET)
  await until(() => answers.length === 1)
  assert.equal(states(own), [false, true])
  answers[0]?.()
  await until(() => answer().endsWith('ok'))
  await until(() => isIdle(own))
  assert.equal(states(own), [true, false])
  socket.write('\r\n')
  await until(() => own.bytesRead === GET.length + 2)
  assert.equal(states(own), [true, false])
  socket.write('G')
  await until(() => own.bytesRead === GET.length + 3)
  assert.equal(states(own), [false, false])
  socket.write(GET.slice(1) + GET)
  await until(() => answers.length === 3)
  answers[1]?.()
  await until(() => answer().split('ok').length === 3)
  assert.equal(states(own), [false, true])
  answers[2]?.()
  await until(() => isIdle(own))
  socket.destroy()
})

test('a connection with an incomplete body is not idle, even when its request is answered', async () => {
  const { socket, own, answer } = await client()
  socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab')
  await until(() => answers.length === 1)
  answers[0]?.()
  await until(() => answer().endsWith('ok'))
  await until(() => responseOn(own) === undefined)
  assert.is(isIdle(own), false)
  socket.write('cd')
  await until(() => isIdle(own))
  socket.destroy()
})

test('all connections are found except the upgraded ones', async () => {
  const [first, second, third] = [await client(), await client(), await client()]
  assert.is(httpConnectionsOf(server).length, 3)
  third.socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n')
  await until(() => third.answer() !== '')
  assert.equal(new Set(httpConnectionsOf(server)), new Set([first.own, second.own]))
  assert.is(isIdle(third.own), false)
  assert.is(connectionCountOf(server), 3)
  for (const { socket } of [first, second, third]) socket.destroy()
  await until(() => connectionCountOf(server) === 0)
  assert.equal(httpConnectionsOf(server), [])
})

test('they are also found when the server keeps no list', async () => {
  const { socket, own } = await client()
  const hidden = Object.getOwnPropertySymbols(server).map((symbol) => [symbol, { value: undefined }] as const)
  const listless: Server = Object.create(server, Object.fromEntries(hidden))
  const owned = own as Socket & { server: Server }
  owned.server = listless
  assert.equal(httpConnectionsOf(listless), [own])
  assert.is(idleConnectionsOf(listless), undefined)
  assert.equal([canListIdleConnections(server), canListIdleConnections(listless)], [true, false])
  owned.server = server
  socket.destroy()
})

test('a server without HTTP has none', () => {
  assert.equal(httpConnectionsOf(createNetServer()), [])
})

test('their number is published in a word of memory, and the server keeps fast properties', async () => {
  const other = createServer()
  const words = new Int32Array(3)
  other.on('connection', publishConnections(other, words, 1))
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  const open = () => connect((other.address() as AddressInfo).port, '127.0.0.1')
  const sockets = [open(), open(), open()]
  await until(() => words[1] === 3)
  sockets[0]?.destroy()
  await until(() => words[1] === 2)
  setFlagsFromString('--allow-natives-syntax')
  assert.ok(new Function('server', 'return %HasFastProperties(server)')(other))
  for (const socket of sockets) socket.destroy()
  await until(() => words[1] === 0)
  assert.equal([...words], [0, 0, 0])
  await new Promise((resolve) => other.close(resolve))
})

test.run()
