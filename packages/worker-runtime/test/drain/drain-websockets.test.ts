// Websockets and engine.io sessions during a drain, with the real client libraries.

import { nativeTransport } from '@switchyard/handoff'
import { type Socket as Chat, io } from 'socket.io-client'
import { WebSocket } from 'ws'
import { assert, suite } from '../../../../test/suite.ts'
import { until, untilEvent } from '../../../../test/support/until.ts'
import { Client, get } from '../support/drain-client.ts'
import { DrainWorld } from '../support/drain-world.ts'
import { certificate } from '../support/self-signed.ts'

const test = suite('drain of websockets', { timeoutMs: 30_000 })
const tls = certificate()
const SPREAD_MS = 1000
const routes = [{ name: '/*', match: {}, pool: 'web', ticket: {} }]
const world = new DrainWorld({ transport: nativeTransport(), shared: { app: { engine: true }, routes } })
const { primary } = world

test.before(() => primary.open())

interface Ended {
  readonly code: number
  readonly atMs: number
  readonly messages: readonly string[]
}

async function connect(): Promise<{ socket: WebSocket; ended: Promise<Ended> }> {
  const socket = new WebSocket(`ws://127.0.0.1:${primary.port}/`)
  const messages: string[] = []
  socket.on('message', (message) => messages.push(String(message)))
  socket.on('error', (error) => messages.push(error.message))
  const ended = new Promise<Ended>((resolve) => socket.once('close', (code) => resolve({ code, atMs: performance.now(), messages })))
  await untilEvent(socket, 'message')
  return { socket, ended }
}

test('each websocket gets a close frame 1012 after the app’s listener, spread over the time', async () => {
  const { old, drain, end } = await world.pair({ app: { webSockets: true, listener: 'held' } })
  const sockets = await Promise.all(Array.from({ length: 40 }, connect))
  drain(20_000)
  await old.untilAppMessage('drains')
  // No client is told before the listener is done.
  const { socket } = sockets[0] as { socket: WebSocket }
  socket.send('still here')
  await untilEvent(socket, 'message')
  assert.is(sockets.filter(({ socket }) => socket.readyState !== WebSocket.OPEN).length, 0)
  await end()
  for (const { socket } of sockets) socket.terminate()
})

test('the spread is kept', async () => {
  const { old, drain, end } = await world.pair({ app: { webSockets: true, listener: 'quick' } })
  const sockets = await Promise.all(Array.from({ length: 40 }, connect))
  const begun = performance.now()
  drain(SPREAD_MS)
  const ends = await Promise.all(sockets.map(({ ended }) => ended))
  assert.equal([...new Set(ends.map(({ code }) => code))], [1012])
  const times = ends.map(({ atMs }) => atMs - begun).sort((one, other) => one - other)
  // A busy machine may be late, never early.
  for (const [index, ms] of times.entries()) assert.ok(ms >= (index * SPREAD_MS) / 40 - 1, `number ${index} after ${ms} ms`)
  await old.untilMessage('drained')
  assert.is(old.appMessages.filter((what) => what === 'websocket closed with 1012').length, 40)
  await end()
})

test('a listener that never settles does not stop the drain', async () => {
  const { old, drain, end } = await world.pair({ app: { webSockets: true, listener: 'hangs' } })
  const { ended } = await connect()
  const begun = performance.now()
  drain(1100)
  const { code, atMs } = await ended
  assert.is(code, 1012)
  assert.ok(atMs - begun >= 1090)
  await old.untilMessage('drained')
  await end()
})

test('messages of the app before the close frame arrive complete, and nothing comes behind it', async () => {
  const { old, drain, end } = await world.pair({ app: { webSockets: true, listener: 'quick' } })
  const sockets = await Promise.all(Array.from({ length: 10 }, connect))
  const long = 'x'.repeat(100_000)
  const talk = setInterval(() => old.process.connected && old.sendToApp('broadcast', { text: long }), 20)
  drain(500)
  const ends = await Promise.all(sockets.map(({ ended }) => ended))
  clearInterval(talk)
  for (const { code, messages } of ends) {
    assert.is(code, 1012)
    assert.equal(
      [...new Set(messages.slice(1))].filter((message) => message !== long),
      [],
    )
  }
  await end()
})

test('a connection with an unfinished handshake, or of another protocol, is not closed', async () => {
  const { end } = await world.pair({ app: { webSockets: true } })
  const client = new Client(primary.port)
  await client.ask(get('/'))
  await client.ask('GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n', 'HTTP/1.1 400')
  client.wire.destroy()
  await end()
})

test('websockets that open during the drain get the close frame too', async () => {
  const { old, end } = await world.pair({ app: { webSockets: true } })
  const { ended } = await connect()
  old.drain({ last: false, spreadMs: 0 })
  await ended
  const late = await connect().then(({ ended }) => ended)
  assert.is(late.code, 1012)
  await end()
})

for (const transport of ['polling', 'websocket'] as const) {
  test(`a session of socket.io (${transport}) ends, and its client reconnects to another worker by itself`, async () => {
    const { old, young, end } = await world.pair({ app: { engine: true }, routes })
    const faults: string[] = []
    const hellos: string[] = []
    const chat: Chat = io(`http://127.0.0.1:${primary.port}`, { transports: [transport], reconnectionDelay: 10, reconnectionDelayMax: 20 })
    chat.on('hello', (pid) => hellos.push(String(pid)))
    chat.io.on('error', (error) => faults.push(error.message))
    chat.on('connect_error', (error) => faults.push(error.message))
    const reasons: string[] = []
    chat.on('disconnect', (reason) => reasons.push(reason))
    await until(() => hellos.length === 1)
    const { id: session } = chat.io.engine as unknown as { id: string }
    // As the policy does: a request of a session goes to its worker.
    primary.choose = ({ head }) => (head.target?.includes(session) ? old : young)
    const begun = performance.now()
    old.drain({ last: false, spreadMs: 300 })
    await until(() => hellos.length === 2)
    assert.equal(hellos, [old.pid, young.pid])
    assert.equal(reasons, ['transport close'])
    assert.equal(faults, [])
    await old.untilMessage('drained')
    assert.ok(performance.now() - begun >= 1000, 'a moment after the last')
    assert.equal(String(await chat.emitWithAck('who')), young.pid)
    chat.disconnect()
    await young.untilAppMessage('session over: client namespace disconnect')
    await end()
  })
}

test('a polling session ends at an open poll, and a request that the client sends at that moment gets no error', async () => {
  const { old, end } = await world.pair({ app: { engine: true }, routes })
  const client = new Client(primary.port)
  const { body } = await client.ask('GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: test\r\n\r\n', '}')
  const { sid } = JSON.parse(body.slice(1)) as { sid: string }
  const path = `/socket.io/?EIO=4&transport=polling&sid=${sid}`
  const send = (packet: string) => `POST ${path} HTTP/1.1\r\nHost: test\r\nContent-Length: ${packet.length}\r\n\r\n${packet}`
  // Half of the request has arrived when the drain begins.
  const sender = new Client(primary.port)
  const said = send('3')
  sender.wire.write(said.slice(0, -1))
  await client.ask(get('/'))
  old.drain({ last: false, spreadMs: 0 })
  const poll = new Client(primary.port)
  poll.wire.write(get(path))
  const news = poll.answer(/\r\n\r\n1$/)
  sender.wire.write(said.slice(-1))
  assert.match(await sender.answer(/\r\n\r\nok$/).then(() => sender.wire.text), /^HTTP\/1.1 200 /)
  await news
  const late = new Client(primary.port)
  assert.match(await late.ask(send('42["who"]'), /\r\n\r\nok$/).then(() => late.wire.text), /^HTTP\/1.1 200 /)
  assert.match(await late.ask(get(path), /\r\n\r\n1$/).then(() => late.wire.text), /^HTTP\/1.1 200 /)
  assert.match(await late.ask(get(path.replace(sid, 'unknown')), '}').then(() => late.wire.text), /^HTTP\/1.1 400 /)
  for (const { wire } of [client, sender, poll, late]) wire.destroy()
  await old.untilMessage('drained')
  await end()
})

test('a tunnelled websocket ends when either of the two workers drains', async () => {
  for (const drained of ['nearer', 'farther'] as const) {
    const routes = [
      { name: '/far', match: { path: '/far/*' }, pool: 'far' },
      { name: '/*', match: {}, pool: 'near' },
    ]
    // The app terminates TLS, so connections can't move.
    const app = { webSockets: true, tls }
    const [near, far] = await Promise.all([primary.start({ pool: 'near', routes, app }), primary.start({ pool: 'far', routes, app })])
    primary.choose = () => near
    primary.verdict = () => far.id
    const client = new Client(primary.port, true)
    client.wire.write(
      'GET /far/ HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n',
    )
    await client.wire.untilText(`hello from ${far.pid}`)
    const worker = drained === 'nearer' ? near : far
    worker.drain({ last: false, spreadMs: 0 })
    await client.wire.untilText('\x88\x02\x03\xf4')
    // The client's own close frame, masked.
    client.wire.write(Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xf4]))
    await client.wire.untilEnd()
    assert.ok(client.wire.text.endsWith('\x88\x02\x03\xf4'))
    client.wire.destroy()
    await far.untilAppMessage('websocket closed with 1012')
    await worker.untilMessage('drained')
    await Promise.all([near.kill(), far.kill()])
  }
})

test.run()
