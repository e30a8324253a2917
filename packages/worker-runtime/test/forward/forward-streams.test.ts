// Both directions of a forward stream: parts arrive before the rest is sent, and unread bytes are held back. Streams that break have a file
// of their own.

import { createHash } from 'node:crypto'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { assert, suite } from '../../../../test/suite.ts'
import { until, untilEvent } from '../../../../test/support/until.ts'
import { oneRequest, pairOf, startPair } from '../support/forward-pair.ts'
import { conversation, LAST, masked, Wire } from '../support/wire.ts'

const test = suite('forward: streams')

const GET = 'GET / HTTP/1.1\r\nHost: test\r\n\r\n'

const MB = 1024 * 1024
const PART = MB / 4
/** More than all buffers on the way together: two sockets per hop, and Node's own. */
const HELD_AT_MOST = 24 * MB

test('an upload that the app does not read is held back, then arrives complete', async () => {
  const SIZE = 96 * MB
  let resume = () => {}
  const pair = await pairOf((request, response) => {
    const hash = createHash('sha1')
    resume = () => void request.on('data', (part) => hash.update(part)).on('end', () => response.end(hash.digest('hex')))
  })
  const expected = createHash('sha1')
  for (let at = 0; at < SIZE; at += PART) expected.update(Buffer.alloc(PART, (at / PART) & 0xff))
  const wire = new Wire(pair.port).write(`POST / HTTP/1.1\r\nHost: test\r\nContent-Length: ${SIZE}\r\n\r\n`)
  let sent = 0
  const sendSome = (): void => {
    while (sent < SIZE) {
      const part = Buffer.alloc(PART, (sent / PART) & 0xff)
      sent += PART
      if (!wire.socket.write(part)) return
    }
  }
  wire.socket.on('drain', sendSome)
  sendSome()
  await untilStill(() => sent)
  assert.ok(sent < HELD_AT_MOST, `${sent} bytes were taken off the client`)
  resume()
  await wire.untilText(expected.digest('hex'))
  wire.destroy()
  await pair.stop()
})

test('the hash of a chunked upload is right', async () => {
  const pair = await pairOf((request, response) => {
    const hash = createHash('sha1')
    request
      .on('data', (part) => hash.update(part))
      .on('end', () => response.end(`${hash.digest('hex')} ${JSON.stringify(request.trailers)}`))
  })
  const hash = createHash('sha1')
  const wire = new Wire(pair.port).write('POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n')
  for (let size = 1; size < 300_000; size = size * 3 + 1) {
    const part = Buffer.alloc(size, size & 0xff)
    hash.update(part)
    wire
      .write(`${size.toString(16)}\r\n`)
      .write(part)
      .write('\r\n')
  }
  wire.write('0\r\nX-Sum: 7\r\n\r\n')
  await wire.untilText(`${hash.digest('hex')} {"x-sum":"7"}`)
  wire.destroy()
  await pair.stop()
})

test('an answer that the client does not read is held back, then arrives complete', async () => {
  const SIZE = 96 * MB
  let made = 0
  const pair = await pairOf((_request, response) => {
    const more = (): void => {
      while (made < SIZE) {
        const part = Buffer.alloc(PART, 0x61)
        made += part.length
        if (!response.write(part)) return
      }
      response.end()
    }
    response.on('drain', more)
    more()
  })
  const wire = new Wire(pair.port).write('GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n')
  wire.socket.pause()
  await untilStill(() => made)
  assert.ok(made < HELD_AT_MOST, `${made} bytes were made`)
  let received = 0
  wire.socket.removeAllListeners('data')
  wire.socket.on('data', (text) => {
    received += text.length
  })
  wire.socket.resume()
  await wire.untilEnd()
  assert.is(made, SIZE)
  assert.ok(received > SIZE)
  wire.destroy()
  await pair.stop()
})

test('each part of an answer arrives before the next is written, the head before the first', async () => {
  const steps: (() => void)[] = []
  const pair = await pairOf((_request, response) => {
    response.writeHead(200, ['Content-Type', 'text/event-stream', 'X-Latin', 'caf\xe9'])
    // flushHeaders() writes the head in UTF-8; the client must get exactly those bytes.
    response.flushHeaders()
    steps.push(
      () => response.write('data: 1\n\n'),
      () => response.write('data: 2\n\n'),
      () => response.end(),
    )
  })
  const wire = new Wire(pair.port).write(GET)
  await wire.untilText(/X-Latin: caf\xc3\xa9\r\n(.+\r\n)*\r\n$/)
  steps[0]?.()
  await wire.untilText(/9\r\ndata: 1\n\n\r\n$/)
  steps[1]?.()
  await wire.untilText(/9\r\ndata: 2\n\n\r\n$/)
  steps[2]?.()
  await wire.untilText(/0\r\n\r\n$/)
  wire.destroy()
  await pair.stop()
})

test('the app gets the head of a request before its body, and each part before the next', async () => {
  const seen: string[] = []
  const pair = await pairOf((request, response) => {
    seen.push(`head ${request.headers['x-latin']}`)
    request.on('data', (part: Buffer) => seen.push(part.toString())).on('end', () => response.end())
  })
  const wire = new Wire(pair.port).write('POST / HTTP/1.1\r\nHost: test\r\nX-Latin: \xe9\r\nTransfer-Encoding: chunked\r\n\r\n')
  await until(() => seen.length === 1)
  wire.write('1\r\na\r\n')
  await until(() => seen.length === 2)
  wire.write('1\r\nb\r\n0\r\n\r\n')
  await wire.untilText(/200 OK/)
  assert.equal(seen, ['head \xe9', 'a', 'b'])
  wire.destroy()
  await pair.stop()
})

test('100 Continue comes once, when the app says so; without it the body is not sent', async () => {
  let go = () => {}
  const pair = await startPair({
    app: (server: Pick<Server, 'on'>) => {
      server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
        if (request.url === '/no') return void response.writeHead(417).end('no')
        go = () => {
          response.writeContinue()
          request.on('data', (part) => response.write(part)).on('end', () => response.end())
        }
      })
    },
  })
  const head = (path: string): string => `POST ${path} HTTP/1.1\r\nHost: test\r\nExpect: 100-Continue\r\nContent-Length: 4\r\n\r\n`
  const texts = []
  for (const port of [pair.port, pair.barePort]) {
    const wire = new Wire(port).write(head('/yes'))
    go = () => {}
    const before = go
    await until(() => go !== before)
    assert.is(wire.text, '')
    go()
    await wire.untilText('HTTP/1.1 100 Continue\r\n\r\n')
    await wire.write('body').untilText(/0\r\n\r\n$/)
    texts.push(masked(wire.text))
    wire.destroy()
    texts.push(await conversation(port, head('/no')))
  }
  assert.is(texts[0], texts[2])
  assert.is(texts[1], texts[3])
  assert.match(texts[1] as string, /^HTTP\/1\.1 417 [\s\S]*Connection: close/)
  await pair.stop()
})

test('Expect where Node itself sends 100 Continue: it comes once', async () => {
  const pair = await pairOf((request, response) => void request.on('data', (part) => response.write(part)).on('end', () => response.end()))
  const texts = await Promise.all(
    [pair.port, pair.barePort].map(async (port) => {
      const wire = new Wire(port).write('PUT / HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n')
      await wire.untilText('100 Continue\r\n\r\n')
      const text = await wire.write('body').untilText(/0\r\n\r\n$/)
      wire.destroy()
      return masked(text)
    }),
  )
  assert.is(texts[0], texts[1])
  await pair.stop()
})

test('an answer before the end of the upload: the rest is read and discarded, and the connection stays', async () => {
  const pair = await pairOf((request, response) => {
    if (request.method === 'POST') response.writeHead(413).end('too much')
    else response.end('next')
  })
  for (const port of [pair.port, pair.barePort]) {
    const wire = new Wire(port).write(`POST / HTTP/1.1\r\nHost: test\r\nContent-Length: ${8 * MB}\r\n\r\n`).write(Buffer.alloc(MB))
    await wire.untilText('too much')
    wire.write(Buffer.alloc(7 * MB)).write(LAST)
    await wire.untilText('next')
    wire.destroy()
  }
  await pair.stop()
})

test('an answer before the end of the upload that closes the connection', async () => {
  const pair = await pairOf((_request, response) => response.writeHead(413, { Connection: 'close' }).end('too much'))
  const wire = new Wire(pair.port).write(`POST / HTTP/1.1\r\nHost: test\r\nContent-Length: ${8 * MB}\r\n\r\n`).write(Buffer.alloc(1000))
  assert.match(await wire.untilEnd(), /^HTTP\/1\.1 413[\s\S]*too much/)
  wire.destroy()
  await pair.stop()
})

test('request timeouts of the app hold as always', async () => {
  const pair = await pairOf((_request, response) => void response.setTimeout(30))
  assert.is(await conversation(pair.port, GET), '')
  await pair.stop()
})

test('connections between workers are used again, and the sending side closes idle ones', async () => {
  const pair = await startPair({
    app: (server: Pick<Server, 'on'> & { keepAliveTimeout: number }) => {
      server.keepAliveTimeout = 1
      server.on('request', (_request: IncomingMessage, response: ServerResponse) => void response.end('x'))
    },
    forwarder: { idleTimeoutMs: 5_000 },
  })
  let accepted = 0
  pair.far.on('connection', () => accepted++)
  for (let round = 0; round < 20; round++) await oneRequest(pair)
  assert.is(accepted, 1)
  // Node closes idle connections one second late. A connection to a bare server shows when that time is over.
  const bare = new Wire(pair.barePort).write(GET)
  await bare.untilEnd()
  bare.destroy()
  assert.is(pair.privateSockets.size, 1)
  const [socket] = pair.privateSockets
  if (socket !== undefined) await untilEvent(socket, 'close')
  await oneRequest(pair)
  assert.is(accepted, 2)
  pair.forwarder.forget(pair.socketPath)
  await until(() => pair.privateSockets.size === 0)
  await oneRequest(pair)
  pair.forwarder.close()
  await until(() => pair.privateSockets.size === 0)
  await pair.stop()
})

test('idle connections are bounded', async () => {
  const waiting: ServerResponse[] = []
  const pair = await pairOf((_request, response) => void waiting.push(response), { forwarder: { maxIdleConnections: 3 } })
  const wires = Array.from({ length: 10 }, () => new Wire(pair.port).write(GET))
  await until(() => waiting.length === 10)
  for (const response of waiting) response.end('done')
  await Promise.all(wires.map((wire) => wire.untilText(/done$/)))
  await until(() => pair.privateSockets.size === 3)
  for (const wire of wires) wire.destroy()
  await pair.stop()
})

/** Resolves when a number stops changing. */
async function untilStill(count: () => number): Promise<void> {
  let last = -1
  let since = performance.now()
  await until(() => {
    if (count() !== last) {
      last = count()
      since = performance.now()
    }
    return last > 0 && performance.now() - since > 300
  })
}

test.run()
