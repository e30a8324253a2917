// Forward streams that a client or an app breaks: each side sees what it would have seen without the forward.

import type { Server } from 'node:http'
import { assert, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { type Handler, oneRequest, pairOf } from '../support/forward-pair.ts'
import { conversation, Wire } from '../support/wire.ts'

const test = suite('forward: broken streams')

const GET = 'GET / HTTP/1.1\r\nHost: test\r\n\r\n'
const MB = 1024 * 1024

for (const [when, handler] of Object.entries<Handler>({
  'before the answer': () => {},
  'in the middle of the answer': (_request, response) => void response.write('part'),
  'in the middle of a large answer that it does not read': (_request, response) => void response.write(Buffer.alloc(64 * MB)),
})) {
  test(`a client that hangs up ${when}: the app sees it`, async () => {
    const seen: string[] = []
    const pair = await pairOf((request, response) => {
      request.on('aborted', () => seen.push('aborted'))
      response.on('close', () => seen.push(`close, finished: ${response.writableFinished}`))
      handler(request, response)
      seen.push('begun')
    })
    const wire = new Wire(pair.port).write(GET)
    await until(() => seen.length === 1)
    if (when.includes('middle of the')) await wire.untilText('part')
    wire.destroy()
    await until(() => seen.length === 3)
    assert.equal(seen.sort(), ['aborted', 'begun', 'close, finished: false'])
    await until(() => pair.privateSockets.size === 0)
    await pair.stop()
  })
}

test('a client that hangs up in the middle of an upload: the app sees it', async () => {
  const seen: string[] = []
  const pair = await pairOf((request) => {
    request.on('error', (error: NodeJS.ErrnoException) => seen.push(error.code ?? ''))
    request.on('data', (part) => seen.push(`${part}`))
  })
  const wire = new Wire(pair.port).write('POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 100\r\n\r\nabc')
  await until(() => seen.length === 1)
  wire.destroy()
  await until(() => seen.length === 2)
  assert.equal(seen, ['abc', 'ECONNRESET'])
  await pair.stop()
})

test('a client that hangs up with pipelined requests: all of them end', async () => {
  let begun = 0
  let closed = 0
  const pair = await pairOf((_request, response) => {
    begun++
    response.on('close', () => closed++)
    // The first never ends. The answers of the others are ready, too large to be buffered, and wait for it.
    if (begun > 1) response.write(Buffer.alloc(4 * MB))
  })
  const wire = new Wire(pair.port).write(GET.repeat(12))
  await until(() => begun === 12)
  wire.destroy()
  await until(() => closed === 12 && pair.privateSockets.size === 0)
  await pair.stop()
})

test('a client that hangs up while its target is chosen: no worker gets the request', async () => {
  let calls = 0
  const pair = await pairOf((_request, response) => {
    calls++
    response.end('x')
  })
  const { choose } = pair
  let answer: (() => void) | undefined
  pair.choose = (failed) =>
    new Promise((resolve) => {
      answer = () => resolve(choose(failed))
    })
  const wire = new Wire(pair.port).write(GET)
  await until(() => answer)
  wire.destroy()
  await until(() => connectionsOf(pair.near).then((count) => count === 0))
  answer?.()
  pair.choose = choose
  await oneRequest(pair)
  assert.is(calls, 1)
  await pair.stop()
})

const endings: Record<string, { handler: Handler; clientGets: RegExp; error?: string }> = {
  'before the answer': { handler: (request) => void request.socket.destroy(), clientGets: /^$/ },
  'before the answer to an upload': { handler: (request) => void request.once('data', () => request.destroy()), clientGets: /^$/ },
  'in the middle of chunks': {
    handler: (_request, response) => {
      response.write('part')
      setTimeout(() => response.destroy(), 20)
    },
    clientGets: /^HTTP\/1\.1 200 OK[\s\S]*\r\n\r\npart$/,
  },
  'in the middle of a length': {
    handler: (_request, response) => {
      response.writeHead(200, { 'Content-Length': 10 }).write('part')
      setTimeout(() => response.destroy(), 20)
    },
    clientGets: /^HTTP\/1\.1 200 OK[\s\S]*\r\n\r\npart$/,
  },
  'between the head and the body': {
    handler: (_request, response) => {
      response.writeHead(200, { 'Content-Length': 10 }).flushHeaders()
      setTimeout(() => response.destroy(), 20)
    },
    clientGets: /^HTTP\/1\.1 200 OK[\s\S]*\r\n\r\n$/,
  },
}

for (const [when, { handler, clientGets }] of Object.entries(endings)) {
  test(`an app that destroys ${when} is called once, and its client's connection breaks as it would have`, async () => {
    let calls = 0
    const pair = await pairOf((request, response) => {
      calls++
      handler(request, response)
    })
    const bytes = when.includes('upload') ? 'POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\nabc' : GET
    const [forwarded, bare] = await Promise.all([conversation(pair.port, bytes), conversation(pair.barePort, bytes)])
    assert.is(forwarded, bare)
    assert.match(forwarded, clientGets)
    assert.is(calls, 2)
    await pair.stop()
  })
}

test('a body that ends with the connection is cut by a reset when the worker cuts it', async () => {
  // Between the workers the body is chunked, so truncation is noticed. An HTTP/1.0 client has no chunks.
  const pair = await pairOf((_request, response) => {
    response.write('part')
    setTimeout(() => response.destroy(), 20)
  })
  const wire = new Wire(pair.port).write('GET / HTTP/1.0\r\n\r\n')
  await wire.untilText('part')
  await wire.untilClosed()
  assert.is(wire.error?.code, 'ECONNRESET')
  assert.not.ok(wire.ended)
  await pair.stop()
})

function connectionsOf(server: Pick<Server, 'getConnections'>): Promise<number> {
  return new Promise((resolve) => void server.getConnections((_error, count) => resolve(count)))
}

test.run()
