// Heads of HTTP/2 as heads of HTTP/1.1.

import * as assert from 'uvu/assert'
import { suite } from '../../../../test/suite.ts'
import { lastChunk, type RequestHead, readRequestHead } from '../../src/http2/request-head.ts'

const test = suite('HTTP/2 request head')
const PSEUDO = { ':method': 'GET', ':path': '/a?b', ':scheme': 'https', ':authority': 'a.example' }

function read(fields: Record<string, string | string[] | undefined>, isEnd = true): RequestHead | string | number {
  const all = Object.entries({ ...PSEUDO, ...fields })
  const raw = all.flatMap(([name, value]) => (value === undefined ? [] : [value].flat().flatMap((one) => [name, one])))
  return readRequestHead(raw, isEnd)
}

function textOf(fields: Record<string, string | string[] | undefined>, isEnd?: boolean): string[] {
  const head = read(fields, isEnd)
  return typeof head === 'object' ? head.text.split('\r\n') : [String(head)]
}

test('a request without a body', () => {
  assert.equal(textOf({ accept: '*/*', cookie: ['a=1', 'b=2'] }), [
    ...['GET /a?b HTTP/1.1', 'host: a.example', 'accept: */*', 'cookie: a=1; b=2', '', ''],
  ])
})

test('how a body is framed', () => {
  const framings = [
    [{}, true, 'none', 0],
    [{ 'content-length': '0' }, true, 'none', 0],
    [{ 'content-length': '7' }, false, 'length', 7],
    [{}, false, 'chunked', 0],
  ] as const
  for (const [fields, isEnd, framing, length] of framings) {
    const head = read({ ':method': 'POST', ...fields }, isEnd) as RequestHead
    assert.equal([head.framing, head.length], [framing, length])
    assert.is(head.text.includes('transfer-encoding: chunked'), framing === 'chunked')
  }
})

test('a websocket', () => {
  const head = read({ ':method': 'CONNECT', ':protocol': 'websocket', 'sec-websocket-version': '13' }, false) as RequestHead
  assert.is(head.framing, 'raw')
  assert.match(
    head.text,
    /^GET \/a\?b HTTP\/1\.1\r\nhost: a\.example\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-key: [\w+/]{22}==\r\nsec-websocket-version: 13\r\n\r\n$/,
  )
})

const faults: [what: string, fields: Record<string, string | string[] | undefined>, fault: string | number][] = [
  ['a space in the target', { ':path': '/ HTTP/1.1' }, 'malformed'],
  ['a line end in the target', { ':path': '/\r\nx: y' }, 'malformed'],
  ['a target without a slash', { ':path': 'a' }, 'malformed'],
  ['no target', { ':path': undefined }, 'malformed'],
  ['no scheme', { ':scheme': undefined }, 'malformed'],
  ['a line end in a value', { x: 'a\r\ny: b' }, 'malformed'],
  ['a NUL in a value', { x: 'a\0' }, 'malformed'],
  ['a colon in a name', { 'x:': 'a' }, 'malformed'],
  ['capital letters', { X: 'a' }, 'malformed'],
  ['a method with a space', { ':method': 'GET /' }, 'malformed'],
  ['chunks', { 'transfer-encoding': 'chunked' }, 'malformed'],
  ['a field of the connection', { connection: 'close' }, 'malformed'],
  ['an upgrade', { upgrade: 'websocket' }, 'malformed'],
  ['other transfer codings', { te: 'gzip' }, 'malformed'],
  ['two lengths', { 'content-length': ['1', '2'] }, 'malformed'],
  ['a length that is none', { 'content-length': '+1' }, 'malformed'],
  ['a length without a body', { 'content-length': '1' }, 'malformed'],
  ['a line end in the authority', { ':authority': 'a\r\nb' }, 'malformed'],
  ['a path in the authority', { ':authority': 'a/b' }, 'malformed'],
  ['two hosts', { host: 'b.example' }, 400],
  ['a tunnel', { ':method': 'CONNECT', ':path': undefined }, 501],
  ['a tunnel of another protocol', { ':method': 'CONNECT', ':protocol': 'connect-udp' }, 501],
  ['a protocol without CONNECT', { ':protocol': 'websocket' }, 'malformed'],
]
for (const [what, fields, fault] of faults) test(`refused: ${what}`, () => assert.is(read(fields), fault))

test('the same host twice', () => assert.is(textOf({ host: 'a.example' })[1], 'host: a.example'))

test('trailers', () => {
  assert.is(lastChunk([]), '0\r\n\r\n')
  assert.is(lastChunk(['x-a', '1', 'x-b', 'a\r\nb', 'x c', '2']), '0\r\nx-a: 1\r\n\r\n')
})

test.run()
