// Responses of HTTP/1.1 as Node writes them, in pieces of any size.

import type { OutgoingHttpHeaders } from 'node:http2'
import fc from 'fast-check'
import * as assert from 'uvu/assert'
import { suite } from '../../../../test/suite.ts'
import { ResponseReader, type ResponseSink } from '../../src/http2/response-reader.ts'

const test = suite('response reader', { timeoutMs: 20_000 })

class Seen implements ResponseSink {
  readonly events: unknown[] = []
  body = ''
  onInformation(status: number, fields: OutgoingHttpHeaders): void {
    this.events.push([status, fields])
  }
  onHead(status: number, fields: OutgoingHttpHeaders, hasBody: boolean): void {
    this.events.push([status, fields, hasBody])
  }
  onBody(part: Buffer | string, encoding: BufferEncoding | undefined): void {
    this.body += (typeof part === 'string' ? Buffer.from(part, encoding) : part).toString('latin1')
  }
  onEnd(trailers: OutgoingHttpHeaders | undefined): void {
    this.events.push(['end', trailers])
  }
  onFault(): void {
    this.events.push('fault')
  }
}

/** `cuts`: where the bytes are cut, as shares of their length. `asText`: pieces are strings. */
function read(bytes: string, { isHead = false, isUpgrade = false, cuts = [] as number[], asText = false } = {}): Seen {
  const seen = new Seen()
  const reader = new ResponseReader(seen)
  reader.begin(isHead, isUpgrade)
  const places = [...new Set([0, ...cuts.map((cut) => Math.floor(cut * bytes.length)), bytes.length])].sort((a, b) => a - b)
  for (let at = 1; at < places.length; at++) {
    const piece = bytes.slice(places[at - 1], places[at])
    reader.read(asText ? piece : Buffer.from(piece, 'latin1'), 'latin1')
  }
  return seen
}

interface Case {
  readonly name: string
  readonly bytes: string
  readonly events: unknown[]
  readonly body: string
  readonly isHead?: boolean
  readonly isUpgrade?: boolean
}

const cases: Case[] = [
  {
    name: 'a length',
    bytes: 'HTTP/1.1 200 OK\r\nX-A: 1\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\nContent-Length: 5\r\n\r\nhello',
    events: [
      [200, { 'x-a': '1', 'content-length': '5' }, true],
      ['end', undefined],
    ],
    body: 'hello',
  },
  {
    name: 'chunks and trailers',
    bytes: 'HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nA;x=y\r\n there you\r\n0\r\nX-Sum: 1\r\nx-b: 2\r\n\r\n',
    events: [
      [201, {}, true],
      ['end', { 'x-sum': '1', 'x-b': '2' }],
    ],
    body: 'hello there you',
  },
  {
    name: 'interim answers',
    bytes: 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n',
    events: [
      [100, {}],
      [103, { link: 'a' }],
      [204, {}, false],
      ['end', undefined],
    ],
    body: '',
  },
  {
    name: 'HEAD',
    bytes: 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nSet-Cookie: a\r\nset-cookie: b\r\nETag: a\r\nEtag: b\r\n\r\n',
    events: [
      [200, { 'content-length': '5', 'set-cookie': ['a', 'b'], etag: 'a' }, false],
      ['end', undefined],
    ],
    body: '',
    isHead: true,
  },
  {
    name: 'the end of the connection',
    bytes: 'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello',
    events: [[200, {}, true]],
    body: 'hello',
  },
  {
    name: 'an upgrade',
    bytes: 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: a\r\nX-A: 1\r\n\r\nHTTP',
    events: [[200, { 'x-a': '1' }, true]],
    body: 'HTTP',
    isUpgrade: true,
  },
  { name: 'an upgrade that was not asked for', bytes: 'HTTP/1.1 101 Switching Protocols\r\n\r\n', events: ['fault'], body: '' },
  { name: 'no response', bytes: 'hello\r\n\r\n', events: ['fault'], body: '' },
  {
    name: 'a bad chunk',
    bytes: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n',
    events: [[200, {}, true], 'fault'],
    body: '',
  },
  {
    name: 'bytes of UTF-8 in a field',
    bytes: 'HTTP/1.1 200 OK\r\nX-A: caf\xc3\xa9\r\nX-B: caf\xe9\r\nContent-Length: 0\r\n\r\n',
    events: [
      [200, { 'x-a': 'caf\xe9', 'x-b': 'caf\xe9', 'content-length': '0' }, false],
      ['end', undefined],
    ],
    body: '',
  },
  {
    name: 'more than the length',
    bytes: 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhello',
    events: [
      [200, { 'content-length': '2' }, true],
      ['end', undefined],
    ],
    body: 'he',
  },
]

for (const { name, bytes, events, body, ...options } of cases)
  test(`${name}, in any pieces`, () => {
    const check = (cuts: number[], asText: boolean): void => {
      const seen = read(bytes, { ...options, cuts, asText })
      assert.equal(seen.events, events)
      assert.is(seen.body, body)
    }
    check([], false)
    check([], true)
    fc.assert(fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 20 }), fc.boolean(), check), { numRuns: 200 })
  })

test('a head and a body of text in UTF-8, in one piece', () => {
  const seen = new Seen()
  const reader = new ResponseReader(seen)
  reader.begin(false, false)
  reader.read('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n\u20ac', 'utf8')
  assert.equal([seen.body, seen.events.length], ['\xe2\x82\xac', 2])
})

test('a head without an end is bounded', () => {
  const seen = new Seen()
  const reader = new ResponseReader(seen)
  reader.begin(false, false)
  for (let at = 0; at < 2000; at++) reader.read(`x-${at}: ${'a'.repeat(1000)}\r\n`, 'latin1')
  assert.equal(seen.events, ['fault'])
})

test('a server that closes the connection behind the response says so', () => {
  const reader = new ResponseReader(new Seen())
  const closesWith = (fields: string): boolean => {
    reader.begin(false, false)
    reader.read(`HTTP/1.1 200 OK\r\n${fields}Content-Length: 0\r\n\r\n`, 'latin1')
    return reader.closes
  }
  assert.equal(['', 'Connection: keep-alive\r\n', 'Connection: x-closed\r\n'].map(closesWith), [false, false, false])
  for (const value of ['close', 'Close', 'x, close']) assert.is(closesWith(`Connection: ${value}\r\n`), true)
})

test.run()
