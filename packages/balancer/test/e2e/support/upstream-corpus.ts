// Requests that proxies read in different ways: framing, folding, duplicates, fields of one connection, targets, upgrades, trailers, sizes.

export interface CorpusCase {
  readonly name: string
  /** What the client sends, one character per byte. */
  readonly bytes: string
  /** Of these bytes, those that the server gets and sends back after it has switched protocols. */
  readonly behind: string
}

const HOST = 'Host: site.test\r\n'

function request(line: string, fields: string, body = ''): string {
  return `${line} HTTP/1.1\r\n${HOST}${fields}\r\n${body}`
}

function post(fields: string, body: string): string {
  return request('POST /post', fields, body)
}

const framing: Record<string, string> = {
  length: post('Content-Length: 5\r\n', 'hello'),
  'length 0': post('Content-Length: 0\r\n', ''),
  'no length': post('', ''),
  'leading zeros': post('Content-Length: 005\r\n', 'hello'),
  'length with plus': post('Content-Length: +5\r\n', 'hello'),
  'negative length': post('Content-Length: -1\r\n', 'hello'),
  'length with text': post('Content-Length: 5x\r\n', 'hello'),
  'hexadecimal length': post('Content-Length: 0x5\r\n', 'hello'),
  'huge length': post('Content-Length: 99999999999999999999\r\n', 'hello'),
  'length list, equal': post('Content-Length: 5, 5\r\n', 'hello'),
  'two equal lengths': post('Content-Length: 5\r\nContent-Length: 5\r\n', 'hello'),
  'two different lengths': post('Content-Length: 5\r\nContent-Length: 6\r\n', 'hello!'),
  'space before the colon of a length': post('Content-Length : 5\r\n', 'hello'),
  chunks: post('Transfer-Encoding: chunked\r\n', '5\r\nhello\r\n0\r\n\r\n'),
  'chunks in capitals': post('Transfer-Encoding: CHUNKED\r\n', '5\r\nhello\r\n0\r\n\r\n'),
  'chunk extension': post('Transfer-Encoding: chunked\r\n', '5;a=b\r\nhello\r\n0\r\n\r\n'),
  'chunk size with zeros': post('Transfer-Encoding: chunked\r\n', '0005\r\nhello\r\n0\r\n\r\n'),
  'chunk size with a space': post('Transfer-Encoding: chunked\r\n', '5 \r\nhello\r\n0\r\n\r\n'),
  'chunk size 0x': post('Transfer-Encoding: chunked\r\n', '0x5\r\nhello\r\n0\r\n\r\n'),
  'chunk size that overflows': post('Transfer-Encoding: chunked\r\n', 'fffffffffffffffff\r\nhello\r\n0\r\n\r\n'),
  'chunk with bare LF': post('Transfer-Encoding: chunked\r\n', '5\nhello\n0\n\n'),
  'chunk longer than its size': post('Transfer-Encoding: chunked\r\n', '4\r\nhello\r\n0\r\n\r\n'),
  'chunked and gzip': post('Transfer-Encoding: gzip, chunked\r\n', '5\r\nhello\r\n0\r\n\r\n'),
  'gzip alone': post('Transfer-Encoding: gzip\r\n', 'hello'),
  identity: post('Transfer-Encoding: identity\r\nContent-Length: 5\r\n', 'hello'),
  'chunked twice': post('Transfer-Encoding: chunked, chunked\r\n', '5\r\nhello\r\n0\r\n\r\n'),
  'two transfer codings': post('Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n', '5\r\nhello\r\n0\r\n\r\n'),
  xchunked: post('Transfer-Encoding: xchunked\r\n', '5\r\nhello\r\n0\r\n\r\n'),
  'chunked in quotes': post('Transfer-Encoding: "chunked"\r\n', '5\r\nhello\r\n0\r\n\r\n'),
  'chunked behind a tab': post('Transfer-Encoding:\tchunked\r\n', '5\r\nhello\r\n0\r\n\r\n'),
  'vertical tab before chunked': post('Transfer-Encoding: \x0bchunked\r\n', '5\r\nhello\r\n0\r\n\r\n'),
  'length and chunks': post('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n'),
  'chunks and length': post('Transfer-Encoding: chunked\r\nContent-Length: 4\r\n', '5c\r\nGPOST / HTTP/1.1\r\n\r\n0\r\n\r\n'),
  'space before the colon of chunks': post('Transfer-Encoding : chunked\r\n', '0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n'),
  'underscore in chunks': post('Transfer_Encoding: chunked\r\nContent-Length: 5\r\n', 'hello'),
  'underscore in length': post('Content_Length: 50\r\nContent-Length: 5\r\n', 'hello'),
  'GET with length': request('GET /get', 'Content-Length: 5\r\n', 'hello'),
  'GET with chunks': request('GET /get', 'Transfer-Encoding: chunked\r\n', '5\r\nhello\r\n0\r\n\r\n'),
  'DELETE with chunks': request('DELETE /get', 'Transfer-Encoding: chunked\r\n', '5\r\nhello\r\n0\r\n\r\n'),
  'OPTIONS with chunks': request('OPTIONS /get', 'Transfer-Encoding: chunked\r\n', '5\r\nhello\r\n0\r\n\r\n'),
  HEAD: request('HEAD /head', ''),
  'HEAD with length': request('HEAD /head', 'Content-Length: 5\r\n', 'hello'),
  'HTTP/1.0 with chunks': 'POST /post HTTP/1.0\r\nHost: site.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
  'HTTP/1.0': 'GET /old HTTP/1.0\r\nHost: site.test\r\n\r\n',
  'HTTP/1.0 without Host': 'GET /old HTTP/1.0\r\n\r\n',
  'HTTP/1.2': 'GET /new HTTP/1.2\r\nHost: site.test\r\n\r\n',
  'HTTP/2.0 line': 'GET /new HTTP/2.0\r\nHost: site.test\r\n\r\n',
  'HTTP/0.9': 'GET /old\r\n\r\n',
  'length in a trailer': post('Transfer-Encoding: chunked\r\n', '5\r\nhello\r\n0\r\nContent-Length: 50\r\n\r\n'),
}

/** Spellings of a coding and of a length, each before a body that is a request for a reader who does not know them. */
const spellings: Record<string, string> = Object.fromEntries([
  ...[
    'chunked ',
    '  chunked',
    'chunked;q=1',
    'chunk',
    'chunked,',
    ',chunked',
    'chunked, identity',
    'identity, chunked',
    'chun\xackedd',
    'chunked\x00',
    "'chunked'",
  ].map((coding) => [`coding <${coding}>`, post(`Transfer-Encoding: ${coding}\r\n`, '0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n')]),
  ...[
    'Transfer-Encoding\x00',
    'Transfer Encoding',
    'Transfer\tEncoding',
    'X: 1\nTransfer-Encoding',
    'X: 1\rTransfer-Encoding',
    '\x0bTransfer-Encoding',
  ].map((name) => [`coding in <${name}>`, post(`${name}: chunked\r\nContent-Length: 5\r\n`, '0\r\n\r\n')]),
  ...['5;', '5 5', '5\t', '5.0', '5e0', "'5'", '', '0 5', '1_0', '５'].map((length) => [
    `length <${length}>`,
    post(`Content-Length: ${length}\r\n`, 'hello'),
  ]),
] as [string, string][])

const syntax: Record<string, string> = {
  'folded value': request('GET /fold', 'X-A: one\r\n two\r\n'),
  'folded chunks': post('Transfer-Encoding:\r\n chunked\r\n', '0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n'),
  'fold before the first field': `GET /fold HTTP/1.1\r\n X-A: 1\r\n${HOST}\r\n`,
  'bare LF between fields': 'GET /lf HTTP/1.1\nHost: site.test\nX-A: 1\n\n',
  'bare CR in a value': request('GET /cr', 'X-A: 1\rX-B: 2\r\n'),
  'NUL in a value': request('GET /nul', 'X-A: 1\x002\r\n'),
  'NUL in a name': request('GET /nul', 'X-\x00A: 1\r\n'),
  'control in a value': request('GET /ctl', 'X-A: 1\x012\r\n'),
  'bytes above ASCII': request('GET /latin1', 'X-A: caf\xe9\r\n'),
  'UTF-8': request('GET /utf8', 'X-A: caf\xc3\xa9\r\n'),
  'empty name': request('GET /name', ': 1\r\n'),
  'space in a name': request('GET /name', 'X A: 1\r\n'),
  'no colon': request('GET /name', 'X-A\r\n'),
  'empty value': request('GET /value', 'X-A:\r\n'),
  'spaces around a value': request('GET /value', 'X-A:  \t 1 \t \r\n'),
  'tab in a value': request('GET /value', 'X-A: 1\t2\r\n'),
  'capitals in a name': request('GET /value', 'X-CamelCASE: 1\r\n'),
  'two spaces in the line': `GET  /line HTTP/1.1\r\n${HOST}\r\n`,
  'tab in the line': `GET\t/line HTTP/1.1\r\n${HOST}\r\n`,
  'space in the target': `GET /a b HTTP/1.1\r\n${HOST}\r\n`,
  'lower case method': `get /line HTTP/1.1\r\n${HOST}\r\n`,
  'unknown method': `BREW /line HTTP/1.1\r\n${HOST}\r\n`,
  'lower case version': `GET /line http/1.1\r\n${HOST}\r\n`,
  'empty lines first': `\r\n\r\nGET /empty HTTP/1.1\r\n${HOST}\r\n`,
  'bytes above ASCII in the target': `GET /caf\xe9 HTTP/1.1\r\n${HOST}\r\n`,
  'a quote in the target': `GET /a"b HTTP/1.1\r\n${HOST}\r\n`,
}

const targets: Record<string, string> = Object.fromEntries(
  [
    '/',
    '/a/b/c',
    '/a?b=c&d',
    '/?',
    '/a//b',
    '//a',
    '/a/../b',
    '/./a',
    '/%2e%2e/a',
    '/a%2fb',
    '/%00',
    '/a%0d%0aX: 1',
    '/a;b=c',
    '/a\\b',
    '/a%zz',
    '/a#b',
    '*',
    'a',
    '?a',
    'http://site.test/abs',
    'http://site.test',
    'http://site.test?q',
    'http://other.test/abs',
    'HTTP://SITE.TEST/abs',
    'https://site.test/abs',
    'http://user@site.test/abs',
    'ftp://site.test/abs',
    'site.test:80',
  ].map((target) => [`target ${target}`, `GET ${target} HTTP/1.1\r\n${HOST}\r\n`]),
)

const hosts: Record<string, string> = {
  'no Host': 'GET /host HTTP/1.1\r\n\r\n',
  'empty Host': 'GET /host HTTP/1.1\r\nHost:\r\n\r\n',
  'two Hosts': `GET /host HTTP/1.1\r\n${HOST}Host: other.test\r\n\r\n`,
  'two equal Hosts': `GET /host HTTP/1.1\r\n${HOST}${HOST}\r\n`,
  'Host with port': 'GET /host HTTP/1.1\r\nHost: site.test:8080\r\n\r\n',
  'Host with path': 'GET /host HTTP/1.1\r\nHost: site.test/a\r\n\r\n',
  'Host with user': 'GET /host HTTP/1.1\r\nHost: a@site.test\r\n\r\n',
  'Host with space': 'GET /host HTTP/1.1\r\nHost: site.test other\r\n\r\n',
  'Host with comma': 'GET /host HTTP/1.1\r\nHost: site.test, other.test\r\n\r\n',
  'Host in capitals': 'GET /host HTTP/1.1\r\nHOST: SITE.test\r\n\r\n',
  'IPv6 Host': 'GET /host HTTP/1.1\r\nHost: [::1]:80\r\n\r\n',
  'space before the colon of Host': 'GET /host HTTP/1.1\r\nHost : site.test\r\n\r\n',
}

/** Fields that come twice, and those that describe one connection. */
const fields: Record<string, string> = {
  'equal names': request('GET /twice', 'X-A: 1\r\nX-B: 2\r\nX-A: 3\r\nx-a: 4\r\n'),
  'two cookies': request('GET /twice', 'Cookie: a=1\r\nCookie: b=2\r\n'),
  'two Authorizations': request('GET /twice', 'Authorization: a\r\nAuthorization: b\r\n'),
  'two User-Agents': request('GET /twice', 'User-Agent: a\r\nUser-Agent: b\r\n'),
  'two Content-Types': post('Content-Type: a/a\r\nContent-Type: b/b\r\nContent-Length: 1\r\n', 'x'),
  'Keep-Alive': request('GET /hop', 'Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n'),
  'TE trailers': request('GET /hop', 'TE: trailers\r\nConnection: TE\r\n'),
  'TE gzip': request('GET /hop', 'TE: gzip\r\n'),
  'Proxy-Connection': request('GET /hop', 'Proxy-Connection: keep-alive\r\n'),
  'Proxy-Authorization': request('GET /hop', 'Proxy-Authorization: Basic eA==\r\n'),
  'Trailer without chunks': request('GET /hop', 'Trailer: X-T\r\n'),
  'a named field': request('GET /hop', 'Connection: X-Named\r\nX-Named: 1\r\n'),
  'two named fields': request('GET /hop', 'Connection: X-One\r\nConnection: keep-alive, x-two\r\nX-One: 1\r\nX-Two: 2\r\n'),
  'Connection: Host': request('GET /hop', 'Connection: Host\r\n'),
  'Connection: Content-Length': post('Connection: Content-Length\r\nContent-Length: 5\r\n', 'hello'),
  'Connection: Transfer-Encoding': post('Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n', '5\r\nhello\r\n0\r\n\r\n'),
  'Connection: X-Forwarded-For': request('GET /hop', 'Connection: X-Forwarded-For\r\nX-Forwarded-For: 6.6.6.6\r\n'),
  'Connection: Cookie': request('GET /hop', 'Connection: Cookie\r\nCookie: a=1\r\n'),
  'Connection with empty items': request('GET /hop', 'Connection: ,, keep-alive ,\r\n'),
  'X-Forwarded-For': request('GET /client', 'X-Forwarded-For: 6.6.6.6\r\n'),
  X_Forwarded_For: request('GET /client', 'X_Forwarded_For: 6.6.6.6\r\n'),
  Forwarded: request('GET /client', 'Forwarded: for=6.6.6.6\r\n'),
  'X-Real-IP': request('GET /client', 'X-Real-IP: 6.6.6.6\r\n'),
  'X-Forwarded-Proto': request('GET /client', 'X-Forwarded-Proto: https\r\nX-Forwarded-Port: 443\r\n'),
  Via: request('GET /client', 'Via: 1.1 front\r\n'),
  underscore: request('GET /name', 'X_A: 1\r\n'),
  'dot in a name': request('GET /name', 'X.A: 1\r\n'),
  Expect: post('Expect: 100-continue\r\nContent-Length: 5\r\n', 'hello'),
  'unknown Expect': post('Expect: cake\r\nContent-Length: 5\r\n', 'hello'),
  Range: request('GET /field', 'Range: bytes=0-1\r\n'),
  'Accept-Encoding': request('GET /field', 'Accept-Encoding: gzip, br\r\n'),
  'If-None-Match': request('GET /field', 'If-None-Match: "a"\r\n'),
  'Content-Disposition': post('Content-Length: 1\r\nContent-Disposition: attachment; filename=caf\xe9\r\n', 'x'),
  'Max-Forwards': request('OPTIONS /field', 'Max-Forwards: 0\r\n'),
  TRACE: request('TRACE /field', ''),
  CONNECT: 'CONNECT site.test:443 HTTP/1.1\r\nHost: site.test:443\r\n\r\n',
}

const UPGRADE = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'
const upgrades: Record<string, string> = {
  'refused websocket with a request behind it': request('GET /refuse', UPGRADE, 'GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n'),
  'upgrade without Connection': request('GET /upgrade', 'Upgrade: websocket\r\n'),
  'Connection without Upgrade': request('GET /upgrade', 'Connection: Upgrade\r\n'),
  h2c: request('GET /upgrade', 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n'),
  'upgrade with a length': request('POST /refuse', `${UPGRADE}Content-Length: 5\r\n`, 'hello'),
  'upgrade with chunks': request('POST /refuse', `${UPGRADE}Transfer-Encoding: chunked\r\n`, '5\r\nhello\r\n0\r\n\r\n'),
  'HTTP/2 preface': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
}

/** The server switches protocols, and sends back what comes then. */
const BEHIND: Record<string, string> = {
  'accepted websocket': '',
  'accepted websocket with bytes behind it': '\x81\x02hi',
  'accepted websocket with a request behind it': 'GET /behind HTTP/1.1\r\nHost: x\r\n\r\n',
}
const accepted = Object.fromEntries(Object.entries(BEHIND).map(([name, behind]) => [name, request('GET /switch', UPGRADE, behind)]))

const trailers: Record<string, string> = {
  trailer: post('Transfer-Encoding: chunked\r\nTrailer: X-T\r\n', '5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n'),
  'two trailers': post('Transfer-Encoding: chunked\r\n', '5\r\nhello\r\n0\r\nX-T: 1\r\nX-U: 2\r\n\r\n'),
  'Host as trailer': post('Transfer-Encoding: chunked\r\n', '5\r\nhello\r\n0\r\nHost: evil.test\r\n\r\n'),
  'Transfer-Encoding as trailer': post('Transfer-Encoding: chunked\r\n', '5\r\nhello\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n'),
  'X-Forwarded-For as trailer': post('Transfer-Encoding: chunked\r\n', '5\r\nhello\r\n0\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n'),
  'a request as trailer': post('Transfer-Encoding: chunked\r\n', '0\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n'),
  'folded trailer': post('Transfer-Encoding: chunked\r\n', '0\r\nX-T: 1\r\n 2\r\n\r\n'),
}

const sizes: Record<string, string> = {
  '200 fields': request('GET /many', Array.from({ length: 200 }, (_, at) => `X-${at}: ${at}\r\n`).join('')),
  '2,000 fields': request('GET /many', Array.from({ length: 2_000 }, (_, at) => `X${at}: 1\r\n`).join('')),
  '2,001 short fields, then chunks': post(`${'a:\r\n'.repeat(2_001)}Transfer-Encoding: chunked\r\n`, '5\r\nhello\r\n0\r\n\r\n'),
  'a field of 7,000 bytes': request('GET /long', `X-A: ${'a'.repeat(7_000)}\r\n`),
  'a field of 60,000 bytes': request('GET /long', `X-A: ${'a'.repeat(60_000)}\r\n`),
  'a target of 6,000 bytes': `GET /${'a'.repeat(6_000)} HTTP/1.1\r\n${HOST}\r\n`,
  'a target of 60,000 bytes': `GET /${'a'.repeat(60_000)} HTTP/1.1\r\n${HOST}\r\n`,
  'a name of 3,000 bytes': request('GET /long', `${'a'.repeat(3_000)}: 1\r\n`),
  'a body of 100,000 bytes': post('Content-Length: 100000\r\n', 'a'.repeat(100_000)),
  '2,000 chunks': post('Transfer-Encoding: chunked\r\n', `${'1\r\na\r\n'.repeat(2_000)}0\r\n\r\n`),
}

const all = { ...framing, ...spellings, ...syntax, ...targets, ...hosts, ...fields, ...upgrades, ...accepted, ...trailers, ...sizes }

export const corpus: readonly CorpusCase[] = Object.entries(all).map(([name, bytes]) => ({ name, bytes, behind: BEHIND[name] ?? '' }))
