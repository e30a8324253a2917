// A request head: what it answers, where it ends, and when it is ambiguous. Its host has a file of its own.

import fc from 'fast-check'
import { assert, suite } from '../../../../test/suite.ts'
import { RequestHead } from '../../src/index.ts'
import { read, readRaw } from '../fixtures.ts'

const test = suite('RequestHead')

const BROWSER = `POST /Cart/42?id=7&name=a+b%21&id=8 HTTP/1.1
Host: Shop.Example.com:8080
User-Agent: test
Cookie: a=1; connect.sid="s%3Aabc"; a=2
X-Tag:  one\t
x-tag: two
Empty:

`

test('answers what was sent', () => {
  const head = read(BROWSER)
  assert.is(head.outcome, 'complete')
  assert.is(head.protocol, 'http/1')
  assert.is(head.ambiguous, false)
  assert.is(head.byteLength, BROWSER.replaceAll('\n', '\r\n').length)
  assert.is(head.method, 'POST')
  assert.is(head.target, '/Cart/42?id=7&name=a+b%21&id=8')
  assert.is(head.path, '/Cart/42')
  assert.is(head.query, 'id=7&name=a+b%21&id=8')
  assert.is(head.host, 'shop.example.com')
  assert.is(head.header('host'), 'Shop.Example.com:8080')
  assert.is(head.header('X-TAG'), 'one, two')
  assert.is(head.header('empty'), '')
  assert.is(head.header('absent'), undefined)
  assert.is(head.queryParameter('id'), '7')
  assert.is(head.queryParameter('name'), 'a b!')
  assert.is(head.queryParameter('nam'), undefined)
  assert.is(head.cookie('connect.sid'), 's%3Aabc')
  assert.is(head.cookie('a'), '1')
  assert.is(head.cookie('connect'), undefined)
})

test('joins several Cookie fields with a semicolon', () => {
  const head = read('GET / HTTP/1.1\nHost: a\nCookie: a=1\nCOOKIE: b=2\n\n')
  assert.is(head.header('cookie'), 'a=1; b=2')
  assert.is(head.cookie('b'), '2')
})

test('reads parts that are already parsed as it reads bytes', () => {
  const head = RequestHead.of({
    method: 'POST',
    target: '/Cart/42?id=7',
    headers: { host: 'Shop.example.com:80', cookie: 'a=1', 'x-tag': ['one', 'two'], 'set-gone': undefined },
  })
  assert.is(head.outcome, 'complete')
  assert.is(head.method, 'POST')
  assert.is(head.path, '/Cart/42')
  assert.is(head.host, 'shop.example.com')
  assert.is(head.cookie('a'), '1')
  assert.is(head.header('X-Tag'), 'one, two')
  assert.is(head.header('set-gone'), undefined)
  for (const inherited of ['constructor', '__proto__', 'toString']) assert.is(head.header(inherited), undefined, inherited)
  assert.is(RequestHead.of({ target: '/' }).method, 'GET')
  assert.is(RequestHead.of({ target: 'http://a/' }).ambiguous, false)
  assert.is(RequestHead.of({ target: 'a' }).ambiguous, true)
})

test('keep() copies the head, so that the buffer can be used again', () => {
  const bytes = Buffer.from(BROWSER.replaceAll('\n', '\r\n'))
  const head = RequestHead.read(bytes, bytes.length, 16384).keep()
  bytes.fill(0)
  assert.is(head.path, '/Cart/42')
  assert.is(head.cookie('a'), '1')
})

test('reads the address at most once, and only on use', () => {
  const head = read(BROWSER)
  let asked = 0
  head.setAddressSource({
    get remoteAddress() {
      return `10.0.0.${++asked}`
    },
  })
  assert.is(asked, 0)
  assert.is(head.remoteAddress, '10.0.0.1')
  assert.is(head.remoteAddress, '10.0.0.1')
  head.remoteAddress = '::1'
  assert.is(head.remoteAddress, '::1')
})

test('answers undefined when it is an address only', () => {
  const head = RequestHead.addressOnly()
  assert.is(head.protocol, 'unknown')
  for (const value of [
    head.method,
    head.target,
    head.path,
    head.query,
    head.host,
    head.header('host'),
    head.cookie('a'),
    head.remoteAddress,
  ]) {
    assert.is(value, undefined)
  }
})

const OUTCOMES: [text: string, outcome: string, protocol: string][] = [
  ['', 'incomplete', 'unknown'],
  ['G', 'incomplete', 'unknown'],
  ['GET / HTTP/1.1\r\n\r', 'incomplete', 'http/1'],
  ['GET / HTTP/1.1\r\n\r\n', 'complete', 'http/1'],
  ['GET / HTTP/1.0\r\n\r\n', 'complete', 'http/1'],
  ['\r\n\r\nGET / HTTP/1.1\r\n\r\n', 'complete', 'http/1'],
  ['\r', 'incomplete', 'unknown'],
  ['\r\n', 'incomplete', 'unknown'],
  ['\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n', 'not-http', 'unknown'],
  ['\rGET / HTTP/1.1\r\n\r\n', 'not-http', 'unknown'],
  ['CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n', 'complete', 'http/1'],
  ['OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n', 'complete', 'http/1'],
  [`${'M'.repeat(32)} / HTTP/1.1\r\n\r\n`, 'complete', 'http/1'],
  ['M'.repeat(32), 'incomplete', 'unknown'],
  ['M'.repeat(33), 'not-http', 'unknown'],
  ['GET  / HTTP/1.1\r\n\r\n', 'not-http', 'unknown'],
  ['GET /\r\n\r\n', 'not-http', 'unknown'],
  ['GET / \r\n', 'not-http', 'unknown'],
  ['GET / HTTP/2.0\r\n\r\n', 'not-http', 'unknown'],
  ['GET / HTTP/1.\r\n\r\n', 'not-http', 'unknown'],
  ['GET / HTTP/1.1 \r\n\r\n', 'not-http', 'unknown'],
  ['GET / HTTP/1.1\r\r\n\r\n', 'not-http', 'unknown'],
  ['GET /\0 HTTP/1.1\r\n\r\n', 'not-http', 'unknown'],
  [' GET / HTTP/1.1\r\n\r\n', 'not-http', 'unknown'],
  ['GET/ HTTP/1.1\r\n\r\n', 'not-http', 'unknown'],
  ['SSH-2.0-OpenSSH_9.6\r\n', 'not-http', 'unknown'],
  ['PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n', 'not-http', 'unknown'],
  ['\x80\x01', 'not-http', 'unknown'],
  ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'not-http', 'http/2'],
  ['PRI * HTTP/2.0\r\n\r\nSM', 'incomplete', 'unknown'],
  ['P', 'incomplete', 'unknown'],
  ['PRI * HTTP/2.0\r\n\r\nSX', 'not-http', 'unknown'],
  ['PRIVATE / HTTP/1.1\r\n\r\n', 'complete', 'http/1'],
  ['\x16\x03\x01\x02\x00\x01\x00', 'incomplete', 'tls'],
  ['\x16\x03\x01\x00\x04\x01\x00\x00\x00', 'not-http', 'tls'],
  ['\x16\x03\x01', 'incomplete', 'unknown'],
  ['\x16\x03\x01\x02\x00\x02', 'not-http', 'unknown'],
  ['\x16\x09', 'not-http', 'unknown'],
]

test('tells complete, incomplete and not HTTP/1 apart', () => {
  for (const [text, outcome, protocol] of OUTCOMES) {
    const head = readRaw(text)
    assert.equal([head.outcome, head.protocol], [outcome, protocol], JSON.stringify(text))
  }
})

test('is too large when no end comes within the limit', () => {
  const text = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
  assert.is(readRaw(text, text.length).outcome, 'complete')
  assert.is(readRaw(text, text.length - 1).outcome, 'too-large')
  assert.is(readRaw(`GET / HTTP/1.1\r\nX: ${'x'.repeat(100)}`, 64).outcome, 'too-large')
  assert.is(readRaw('GET / HTTP/1.1\r\n', 64).outcome, 'incomplete')
})

test('reads no byte past the length it is given', () => {
  const bytes = Buffer.from('GET / HTTP/1.1\r\n\r\n')
  assert.is(RequestHead.read(bytes, bytes.length - 1, 16384).outcome, 'incomplete')
  assert.is(RequestHead.read(bytes, bytes.length + 9, 16384).outcome, 'complete')
})

const AMBIGUOUS: [why: string, text: string][] = [
  ['bare CR in a value', 'GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n'],
  ['bare CR at a line start', 'GET / HTTP/1.1\r\nHost: a\r\n\rX: b\r\n\r\n'],
  ['bare LF after the request line', 'GET / HTTP/1.1\nHost: a\r\n\r\n'],
  ['bare LF after a field', 'GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n'],
  ['bare LF as the end', 'GET / HTTP/1.1\r\nHost: a\r\n\n'],
  ['folded line', 'GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n'],
  ['white space before the first field', 'GET / HTTP/1.1\r\n Host: a\r\n\r\n'],
  ['NUL', 'GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n'],
  ['control byte', 'GET / HTTP/1.1\r\nHost: a\x07\r\n\r\n'],
  ['two different hosts', 'GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n'],
  ['one host longer than the other', 'GET / HTTP/1.1\r\nHost: a\r\nhost: ab\r\n\r\n'],
  ['third host differs', 'GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\nHOST: c\r\n\r\n'],
  ['the same host twice', 'GET / HTTP/1.1\r\nHost: a\r\nHost:a \r\n\r\n'],
  ['origin-form CONNECT', 'CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['relative target', 'GET a HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['space before the colon', 'GET / HTTP/1.1\r\nHost : a\r\n\r\n'],
  ['no colon', 'GET / HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n'],
  ['no name', 'GET / HTTP/1.1\r\n: a\r\n\r\n'],
]

test('is ambiguous, and then answers undefined, when it has traits of smuggling', () => {
  for (const [why, text] of AMBIGUOUS) {
    const head = readRaw(text)
    assert.is(head.outcome, 'complete', why)
    assert.is(head.ambiguous, true, why)
    assert.is(head.byteLength, text.length, why)
    for (const value of [head.method, head.target, head.path, head.query, head.host, head.header('host')]) assert.is(value, undefined, why)
  }
})

test('is not ambiguous for obs-text, or a length and a transfer coding', () => {
  for (const fields of ['Host: a\r\nX: \xe9\t\r\n', 'Host: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n', '']) {
    assert.is(readRaw(`GET / HTTP/1.1\r\n${fields}\r\n`).ambiguous, false, fields)
  }
})

test('takes the first of several values where Node does', () => {
  const head = read('GET / HTTP/1.1\nAuthorization: a\nAUTHORIZATION: b\nX: a\nX: b\n\n')
  assert.is(head.header('authorization'), 'a')
  assert.is(head.header('x'), 'a, b')
})

test('finds path and query in every form of the target', () => {
  const table: [string, string | undefined, string | undefined][] = [
    ['GET /', '/', undefined],
    ['GET /?', '/', ''],
    ['GET /a#b?c', '/a', undefined],
    ['GET /a?b#c', '/a', 'b'],
    ['GET //a/%2F?x?y', '//a/%2F', 'x?y'],
    ['GET http://b/a?b', '/a', 'b'],
    ['GET http://b', '/', undefined],
    ['OPTIONS *', '*', undefined],
    ['GET *', '*', undefined],
    ['CONNECT a:1', undefined, undefined],
  ]
  for (const [line, path, query] of table) {
    const head = read(`${line} HTTP/1.1\nHost: a\n\n`)
    assert.equal([head.path, head.query], [path, query], line)
  }
})

test('returns a broken query parameter as it was sent', () => {
  const head = read('GET /?a=%zz&b&%63=1&d=%E2%82%AC HTTP/1.1\n\n')
  assert.is(head.queryParameter('a'), '%zz')
  assert.is(head.queryParameter('b'), '')
  assert.is(head.queryParameter('c'), '1')
  assert.is(head.queryParameter('d'), '€')
  assert.is(head.queryParameter(''), undefined)
})

const TOKEN = "!#$%&'*+-.^_`|~0123456789ABCXYZabcxyz"
const token = fc.string({ unit: fc.constantFrom(...TOKEN), minLength: 1, maxLength: 20 })
const value = fc.string({ unit: fc.constantFrom(...' \tabc;=,"\xe9:/?'), maxLength: 40 })
const validHead = fc
  .tuple(
    fc.constantFrom('', '\r\n', '\r\n\r\n'),
    fc.constantFrom('GET', 'POST', 'PRIX', 'P', 'M-SEARCH'),
    fc.string({ unit: fc.constantFrom(...'/abc%?&=.~\xe9'), maxLength: 40 }),
    fc.array(fc.tuple(token, value), { maxLength: 8 }),
  )
  .map(([before, method, target, fields]) => {
    const lines = fields.filter(([name]) => name.toLowerCase() !== 'host').map(([name, text]) => `${name}:${text}\r\n`)
    return `${before}${method} /${target} HTTP/1.1\r\nHost: a\r\n${lines.join('')}\r\n`
  })

test('is incomplete at every split point before the end, and complete at it', () => {
  fc.assert(
    fc.property(validHead, fc.string({ maxLength: 20 }), (text, after) => {
      const bytes = Buffer.from(text + after, 'latin1')
      for (let length = 0; length < text.length; length++) {
        if (RequestHead.read(bytes, length, 16384).outcome !== 'incomplete') return false
      }
      const head = RequestHead.read(bytes, bytes.length, 16384)
      return head.outcome === 'complete' && head.byteLength === text.length && !head.ambiguous && head.host === 'a'
    }),
    { numRuns: 300 },
  )
})

test('finds every field again', () => {
  fc.assert(
    fc.property(validHead, (text) => {
      const head = readRaw(text)
      const lines = text.trimStart().split('\r\n').slice(1, -2)
      for (const line of lines) {
        const name = line.slice(0, line.indexOf(':'))
        const all = lines.filter((other) => other.slice(0, other.indexOf(':')).toLowerCase() === name.toLowerCase())
        const expected = all.map((other) => other.slice(name.length + 1).replace(/^[ \t]+|[ \t]+$/g, ''))
        assert.is(head.header(name), expected.join(name.toLowerCase() === 'cookie' ? '; ' : ', '))
      }
    }),
  )
})

function askEverything(head: RequestHead): void {
  void [head.method, head.target, head.path, head.query, head.host, head.header('host'), head.queryParameter('a'), head.cookie('a')]
}

test('never throws, whatever the bytes', () => {
  const start = fc.constantFrom('', 'GET / HTTP/1.1\r\n', 'GET /?a=%', '\r\n', 'PRI ', '\x16\x03', 'GET / HTTP/1.1\r\nCookie: a')
  const piece = fc.constantFrom('\r\n', '\r', '\n', '\0', ' ', '\t', ':', 'Host: a', 'a', '\xff', '%', '=', ';', '"')
  const noise = fc.oneof(
    fc.array(piece, { maxLength: 30 }).map((list) => list.join('')),
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
  )
  fc.assert(
    fc.property(start, noise, fc.nat(300), (first, rest, maxBytes) => {
      const head = readRaw(first + rest, maxBytes)
      askEverything(head)
      if (head.outcome !== 'complete') assert.is(head.byteLength, 0)
    }),
    { numRuns: 2000 },
  )
})

test('the outcome of a head does not depend on the bytes behind it', () => {
  fc.assert(
    fc.property(fc.constantFrom(...AMBIGUOUS.map(([, text]) => text)), fc.string(), (text, after) => {
      const head = readRaw(text + after)
      return head.ambiguous && head.byteLength === text.length
    }),
  )
})

test.run()
