// A parser frames a request by all of its fields, and Node shows an app about a thousand of them. A forwarded request must be complete.

import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { assert, suite } from '../../../../test/suite.ts'
import { type Pair, startPair } from '../support/forward-pair.ts'
import { conversation, LAST } from '../support/wire.ts'

const test = suite('forward of many fields')

let pair: Pair

/** Answers with what the app sees of a request. */
function app(server: Pick<Server, 'on'>): void {
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    let length = 0
    request.on('data', (part: Buffer) => {
      length += part.length
    })
    request.on('end', () => {
      const { headers, headersDistinct, rawTrailers } = request
      const seen = [headers['x-field']?.length, headersDistinct['x-field']?.length, headers['x-last'], rawTrailers.length, length]
      response.end(JSON.stringify(seen))
    })
  })
  server.on('upgrade', (request: IncomingMessage, socket) => {
    socket.end(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n${request.headers['x-field']?.length}`)
  })
}

test.before(async () => {
  pair = await startPair({ app })
})

/** Newer versions of Node refuse a head with so many fields. */
function assertSame(forwarded = '', bare = ''): void {
  if (/ 431 /.test(bare)) assert.match(forwarded, /^HTTP\/1.1 431 /)
  else {
    assert.is(forwarded, bare)
    assert.match(forwarded, /,5\]/)
  }
}

const fields = (count: number) => 'x-field:1\r\n'.repeat(count)

for (const count of [998, 1_000, 1_200])
  for (const [title, framing, body] of [
    ['a length', 'Content-Length: 5', 'hello'],
    ['chunks', 'Transfer-Encoding: chunked', '5\r\nhello\r\n0\r\n\r\n'],
  ] as const)
    test(`${title} behind ${count} fields`, async () => {
      const head = `POST / HTTP/1.1\r\nHost: test\r\n${fields(count)}X-Last: 1\r\n${framing}\r\n\r\n`
      const [forwarded, bare] = await Promise.all(
        [pair, pair].map((of, at) => conversation(at === 0 ? of.port : of.barePort, head + body + LAST)),
      )
      assertSame(forwarded, bare)
    })

test('a limit of the app holds for forwarded requests too', async () => {
  const strict = await startPair({ app })
  for (const server of [strict.near, strict.far, strict.bare]) server.maxHeadersCount = 50
  const bytes = `POST / HTTP/1.1\r\nHost: test\r\n${fields(100)}Content-Length: 5\r\n\r\nhello${LAST}`
  assertSame(await conversation(strict.port, bytes), await conversation(strict.barePort, bytes))
})

test('all trailers arrive', async () => {
  const trailers = 'x-trailer: 1\r\n'.repeat(1_100)
  const bytes = `POST / HTTP/1.1\r\nHost: test\r\nTrailer: x-trailer\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n${trailers}\r\n${LAST}`
  assert.match(await conversation(pair.port, bytes), /,2200,5\]/)
})

test('an upgrade behind many fields', async () => {
  const bytes = `GET / HTTP/1.1\r\nHost: test\r\n${fields(1_200)}Connection: Upgrade\r\nUpgrade: test\r\n\r\n`
  const [forwarded, bare] = await Promise.all([pair.port, pair.barePort].map((port) => conversation(port, bytes)))
  assert.is(forwarded?.slice(0, 12), bare?.slice(0, 12))
})

test.run()
