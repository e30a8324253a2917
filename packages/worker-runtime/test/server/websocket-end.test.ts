// A close frame comes between two frames of the app, and nothing comes behind it.

import { type AddressInfo, createServer, type Socket } from 'node:net'
import { assert, suite } from '../../../../test/suite.ts'
import { until, untilEvent } from '../../../../test/support/until.ts'
import { classify, endWebSocket } from '../../src/server/websocket-end.ts'
import { Wire } from '../support/wire.ts'

const test = suite('websocket end')
const CLOSE = '\x88\x02\x03\xf4'

const chunks: readonly (readonly [name: string, bytes: readonly number[] | string, judged: string])[] = [
  ['nothing', [], 'part'],
  ['an empty text', [0x81, 0], 'frames'],
  ['a text', '\x81\x02hi', 'frames'],
  ['a compressed text', '\xc1\x02hi', 'frames'],
  ['the head of a text', [0x81, 2], 'frames'],
  ['a text and the head of another', '\x81\x02hi\x82\x05', 'frames'],
  ['a text and a part of the next', '\x81\x02hi\x82\x05ab', 'part'],
  ['a text with something behind it', '\x81\x02hi!', 'part'],
  ['a long one', `\x82\x7e\x01\x00${'x'.repeat(256)}`, 'frames'],
  ['a longer one', `\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00${'x'.repeat(65_536)}`, 'frames'],
  ['the head of a long one', [0x82, 126, 1, 0], 'frames'],
  ['half the head of a long one', [0x82, 126, 1], 'part'],
  ['a ping', [0x89, 0], 'frames'],
  ['a ping that is too long', [0x89, 126, 0, 0], 'part'],
  ['the first fragment', [0x01, 1, 0x61], 'part'],
  ['the last fragment', [0x80, 1, 0x61], 'part'],
  ['zeros', [0, 0, 0, 0], 'part'],
  ['a masked frame', [0x81, 0x80, 1, 2, 3, 4], 'part'],
  ['an unused opcode', [0x83, 0], 'part'],
  ['reserved bits', [0xa1, 0], 'part'],
  ['one byte', [0x81], 'part'],
  ['a close frame', [0x88, 0], 'close'],
  ['a text and a close frame', '\x81\x02hi\x88\x02\x03\xe8', 'close'],
]

for (const [name, bytes, judged] of chunks) {
  test(`${name}: ${judged}`, () => {
    assert.is(classify(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : Uint8Array.from(bytes)), judged)
  })
}

async function pair(): Promise<{ socket: Socket; wire: Wire; close(): void }> {
  const server = createServer({ allowHalfOpen: true })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const wire = new Wire((server.address() as AddressInfo).port)
  const [socket] = (await untilEvent(server, 'connection')) as [Socket]
  socket.on('error', () => {})
  socket.resume()
  const close = () => {
    wire.destroy()
    socket.destroy()
    server.close()
  }
  return { socket, wire, close }
}

const text = (content: string) => Buffer.from(`\x81${String.fromCharCode(content.length)}${content}`, 'latin1')

test('a silent websocket gets the close frame after a moment; what the app writes behind it is discarded', async () => {
  const { socket, wire, close } = await pair()
  endWebSocket(socket)
  await wire.untilText(CLOSE)
  await new Promise<void>((resolve) => socket.write(text('late'), () => resolve()))
  await new Promise<void>((resolve) => socket.write('late', 'latin1', () => resolve()))
  socket.end()
  assert.is(await wire.untilEnd(), CLOSE)
  close()
})

test('between frames that follow one another the close frame comes at a boundary', async () => {
  const { socket, wire, close } = await pair()
  socket.write(text('one'))
  socket.write(text('three').subarray(0, 4))
  endWebSocket(socket)
  socket.write(text('three').subarray(4))
  // The head first, then the content.
  socket.cork()
  socket.write(text('two').subarray(0, 2))
  socket.write('two')
  socket.uncork()
  await wire.untilText(CLOSE)
  socket.end()
  assert.is(await wire.untilEnd(), `\x81\x03one\x81\x05three${CLOSE}`)
  close()
})

test('an app that closes the websocket itself is not interrupted', async () => {
  const { socket, wire, close } = await pair()
  endWebSocket(socket)
  socket.write(Buffer.from('\x88\x02\x03\xe8', 'latin1'))
  socket.end()
  assert.is(await wire.untilEnd(), '\x88\x02\x03\xe8')
  close()
})

test('an endless frame is not interrupted: its connection ends', async () => {
  const { socket, wire, close } = await pair()
  socket.write(Buffer.from([0x82, 127, 0, 1, 0, 0, 0, 0, 0, 0]))
  const writer = setInterval(() => socket.writable && socket.write('xxx'), 5)
  endWebSocket(socket)
  const all = await wire.untilEnd()
  clearInterval(writer)
  assert.match(all.slice(10), /^x+$/)
  close()
})

test('without an answer of the client the socket is half-closed, then destroyed', async () => {
  const { socket, wire, close } = await pair()
  endWebSocket(socket)
  assert.is(await wire.untilEnd(), CLOSE)
  await until(() => socket.destroyed, 5000, 'the end')
  close()
})

test.run()
