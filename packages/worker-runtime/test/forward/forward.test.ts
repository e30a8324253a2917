// Compares forwarded requests and their answers byte for byte with those of a bare server.

import { createServer, type IncomingMessage, METHODS, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { assert, suite } from '../../../../test/suite.ts'
import { answersApp, shapes } from '../support/answers-app.ts'
import { forwardAll, type Pair, startPair } from '../support/forward-pair.ts'
import { conversation, LAST, masked, Wire, withoutChunks } from '../support/wire.ts'

const test = suite('forward')

let pair: Pair

test.before(async () => {
  pair = await startPair({ app: answersApp })
})

async function same(bytes: string | Buffer, of: Pair = pair): Promise<string> {
  const [forwarded, bare] = await Promise.all([conversation(of.port, bytes), conversation(of.barePort, bytes)])
  assertSame(forwarded, bare)
  return forwarded
}

/** Shows where two long texts differ. */
function assertSame(actual: string, expected: string): void {
  let at = 0
  while (at < actual.length && actual[at] === expected[at]) at++
  const near = (text: string) => JSON.stringify(text.slice(Math.max(0, at - 120), at + 200))
  assert.ok(actual === expected, `differs at ${at}:\nforwarded ${near(actual)}\nbare      ${near(expected)}`)
}

/** As `same`, but each request is sent after the answer to the one before it. */
async function sameInTurn(requests: readonly { bytes: string; until: RegExp }[]): Promise<void> {
  const [forwarded, bare] = await Promise.all(
    [pair.port, pair.barePort].map(async (port) => {
      const wire = new Wire(port)
      let text = ''
      for (const { bytes, until } of requests) {
        wire.text = ''
        text += await wire.write(bytes).untilText(until)
      }
      wire.destroy()
      return withoutChunks(masked(text))
    }),
  )
  assertSame(forwarded as string, bare as string)
}

for (const path of shapes) {
  test(`answer ${path}: GET`, async () => {
    await same(`GET ${path} HTTP/1.1\r\nHost: test\r\n\r\n${LAST}`)
  })
  test(`answer ${path}: HEAD`, async () => {
    await same(`HEAD ${path} HTTP/1.1\r\nHost: test\r\n\r\n${LAST}`)
  })
  test(`answer ${path}: the client wants to close`, async () => {
    const bytes = `GET ${path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n`
    // The bare server obeys the app and keeps the connection open.
    if (path === '/keep-alive') assert.match(await conversation(pair.port, bytes), /^Connection: close\r\n/m)
    else await same(bytes)
  })
}

test('answers of all shapes, one after another', async () => {
  const staying = shapes.filter((path) => path !== '/close' && path !== '/until-close')
  const rounds = staying.map((path) => ({
    bytes: `GET ${path} HTTP/1.1\r\nHost: test\r\n\r\nGET /text HTTP/1.1\r\nHost: test\r\n\r\n`,
    until: /\r\n\r\nhello$/,
  }))
  await sameInTurn(rounds)
})

test('60 pipelined requests are answered in order, without a warning about listeners', async () => {
  const staying = shapes.filter((path) => path !== '/close' && path !== '/until-close')
  const requests = Array.from(
    { length: 60 },
    (_, index) => `GET ${staying[(index * 7) % staying.length]}?${index} HTTP/1.1\r\nHost: test\r\n\r\n`,
  )
  await same(requests.join('') + LAST)
})

const requests: Record<string, string> = {
  'names, case, order, duplicates': `GET /echo HTTP/1.1\r\nhOST: test\r\nX-B: 1\r\nx-a: 2\r\nX-B: 3\r\nCookie: a=1\r\nCookie: b=2\r\nAccept: x\r\nACCEPT: y\r\n\r\n`,
  'values that are empty, padded or not ASCII':
    'GET /echo HTTP/1.1\r\nHost: test\r\nX-Empty:\r\nX-Padded:   a b \t \r\nX-Latin: caf\xe9 \xff\r\n\r\n',
  'fields of which Node keeps one':
    'GET /echo HTTP/1.1\r\nHost: test\r\nUser-Agent: a\r\nUser-Agent: b\r\nReferer: c\r\nReferer: d\r\n\r\n',
  'fields with our own names':
    'GET /echo HTTP/1.1\r\nHost: test\r\nSwitchyard-Forwarded: x\r\nswitchyard-forwarded: y\r\nswitchyard-withheld: 0 a b\r\nX-After: 1\r\n\r\n',
  'a field named as Node names a property of all objects':
    'GET /echo HTTP/1.1\r\nHost: test\r\nconstructor: 1\r\n__proto__: 2\r\ntoString: 3\r\n\r\n',
  'a target with odd characters': 'GET /a%20b/"<>\\^`{|}?q=[]&r=#x HTTP/1.1\r\nHost: test\r\n\r\n',
  'a target that is not ASCII': 'GET /caf\xe9?\xff\x80 HTTP/1.1\r\nHost: test\r\n\r\n',
  'a target in absolute form': 'GET http://other/echo HTTP/1.1\r\nHost: test\r\n\r\n',
  'OPTIONS *': 'OPTIONS * HTTP/1.1\r\nHost: test\r\n\r\n',
  'GET with a body': 'GET /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\nbody',
  'DELETE with a body': 'DELETE /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\nbody',
  'GET with chunks': 'GET /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n',
  'POST without a length': 'POST /echo HTTP/1.1\r\nHost: test\r\n\r\n',
  'POST of no bytes': 'POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n',
  'POST of no chunks': 'POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  'POST by length': 'POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 12\r\n\r\nbody \x00\xff\r\n\r\nz',
  'POST by chunks with extensions and trailers':
    'POST /echo HTTP/1.1\r\nHost: test\r\nTrailer: X-Sum\r\nTransfer-Encoding: Chunked\r\n\r\n3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: caf\xe9\r\nx-sum: 2\r\nX-Sum: 3\r\n\r\n',
  'two codings': 'POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nde\r\n0\r\n\r\n',
  'Trailer without chunks':
    'POST /echo HTTP/1.1\r\nHost: test\r\nTrailer: X-Sum\r\nContent-Length: 2\r\ntrailer: b\r\nX-After: 1\r\n\r\nab',
  'Trailer in a GET': 'GET /echo HTTP/1.1\r\nTrailer: X-Sum\r\nHost: test\r\n\r\n',
  'Content-Disposition that is not ASCII':
    'POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\nContent-Disposition: attachment; filename="caf\xc3\xa9"; x="\xe9"\r\n\r\nab',
  'Connection with other words':
    'GET /echo HTTP/1.1\r\nHost: test\r\nConnection: foo, keep-alive\r\nKeep-Alive: 300\r\nProxy-Connection: x\r\n\r\n',
  'Expect: 100-continue': 'POST /echo HTTP/1.1\r\nHost: test\r\nX-Latin: caf\xe9\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab',
  'Expect of something else': 'POST /echo HTTP/1.1\r\nHost: test\r\nExpect: the-unexpected\r\nContent-Length: 2\r\n\r\nab',
  'TE and forwarding fields':
    'GET /echo HTTP/1.1\r\nHost: test\r\nTE: trailers\r\nX-Forwarded-For: 1.2.3.4\r\nForwarded: for=x\r\nVia: 1.1 a\r\n\r\n',
  'two Hosts': 'GET /echo HTTP/1.1\r\nHost: test\r\nHost: other\r\n\r\n',
  'an empty Host': 'GET /echo HTTP/1.1\r\nHost:\r\n\r\n',
  'no Host': 'GET /echo HTTP/1.1\r\n\r\n',
  '900 fields': `GET /echo HTTP/1.1\r\nHost: test\r\n${Array.from({ length: 900 }, (_, index) => `x${index}: y\r\n`).join('')}\r\n`,
  'a head of nearly 16 KiB': `GET /echo HTTP/1.1\r\nHost: test\r\nX: ${'x'.repeat(16_300)}\r\n\r\n`,
  'a head full of trailer fields': `GET /echo HTTP/1.1\r\nHost: test\r\n${'trailer: abc\r\n'.repeat(900)}\r\n`,
  'a head that is too large': `GET /echo HTTP/1.1\r\nHost: test\r\nX: ${'x'.repeat(16_400)}\r\n\r\n`,
}

for (const [title, bytes] of Object.entries(requests)) {
  test(`request: ${title}`, async () => {
    await same(bytes + LAST)
  })
}

for (const method of METHODS.filter((method) => method !== 'CONNECT')) {
  test(`request: ${method}`, async () => {
    await same(`${method} /echo HTTP/1.1\r\nHost: test\r\n\r\n${method} /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\nab${LAST}`)
  })
}

const old: Record<string, string> = {
  'without Host': 'GET /echo HTTP/1.0\r\n\r\n',
  'with a body and Expect, which means nothing there':
    'POST /echo HTTP/1.0\r\nX-A: 1\r\nExpect: 100-continue\r\nExpect: b\r\nContent-Length: 2\r\n\r\nab',
  'of 0.9 in spirit': 'GET /echo HTTP/1.0\r\nConnection: close\r\n\r\n',
}

for (const [title, bytes] of Object.entries(old)) {
  test(`HTTP/1.0 ${title}: the app sees the same`, async () => {
    const [forwarded, bare] = await Promise.all([conversation(pair.port, bytes), conversation(pair.barePort, bytes)])
    assert.is(forwarded.slice(forwarded.indexOf('\r\n\r\n')), bare.slice(bare.indexOf('\r\n\r\n')))
    assert.match(forwarded, /"version":\{"httpVersion":"1\.0","httpVersionMajor":1,"httpVersionMinor":0\}/)
    assert.not.match(forwarded, /transfer-encoding/i)
  })
}

test('HTTP/1.0: answers with a length, by chunks, with trailers, after hints, until close', async () => {
  for (const path of ['/length', '/length-zero', '/no-content', '/not-modified', '/until-close', '/close'])
    await same(`GET ${path} HTTP/1.0\r\n\r\n`)
  // Node does not add a length for HTTP/1.0, so only the end of the body is equal.
  for (const [path, body] of [
    ['/chunks', 'onetwo'],
    ['/trailers', 'body'],
    ['/hints', 'after hints'],
    ['/text', 'hello'],
  ]) {
    const answer = await conversation(pair.port, `GET ${path} HTTP/1.0\r\n\r\n`)
    assert.match(answer, /^HTTP\/1\.1 200 OK\r\n/)
    assert.match(answer, /\r\nConnection: close\r\n/)
    assert.not.match(answer, /transfer-encoding|trailer|hints;/i)
    assert.ok(answer.endsWith(`\r\n\r\n${body}`), answer)
  }
})

test('HTTP/1.0 with keep-alive stays open behind an answer with a length', async () => {
  const one = 'GET /length HTTP/1.0\r\nConnection: keep-alive\r\n\r\n'
  await same(`${one}${one}GET /length HTTP/1.0\r\n\r\n`)
})

test('HTTP/1.0 with TE: chunked gets chunks', async () => {
  await same('GET /chunks HTTP/1.0\r\nTE: chunked\r\n\r\n')
})

test('limits of the app hold for forwarded requests, without the added fields', async () => {
  const own = await startPair({
    app: (server) => {
      answersApp(server)
      server.maxHeadersCount = 20
    },
    server: { maxHeaderSize: 1_000, requireHostHeader: false },
  })
  await same(`GET /echo HTTP/1.1\r\n\r\n${LAST}`, own)
  await same(`GET /echo HTTP/1.1\r\nHost: test\r\nX: ${'x'.repeat(940)}\r\n\r\n${LAST}`, own)
  await same(`GET /echo HTTP/1.1\r\nHost: test\r\nX: ${'x'.repeat(1_200)}\r\n\r\n`, own)
  const { headers } = JSON.parse(
    (await conversation(own.port, `GET /echo HTTP/1.1\r\nHost: test\r\nConnection: close\r\n${'a:b\r\n'.repeat(10)}\r\n`)).split(
      '\r\n\r\n',
    )[1] as string,
  )
  assert.equal(Object.keys(headers), ['host', 'connection', 'a'])
  await own.stop()
})

test('a response head of 100 KB, which Node sends but its client refuses by default', async () => {
  const own = await startPair({
    app: (server) =>
      void server.on('request', (_request, response: ServerResponse) =>
        response.writeHead(200, { 'X-Large': 'x'.repeat(100_000) }).end('x'),
      ),
  })
  await same('GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n', own)
  await own.stop()
})

test('3,000 response fields', async () => {
  const fields = Array.from({ length: 3_000 }, (_, index) => [`x-${index}`, 'y']).flat()
  const own = await startPair({
    app: (server) => void server.on('request', (_request, response: ServerResponse) => response.writeHead(200, fields).end('x')),
  })
  await same('GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n', own)
  await own.stop()
})

test("a request limit for each connection closes the client's when it is reached", async () => {
  const app = (server: Pick<Server, 'on'> & { maxRequestsPerSocket: number | null }) => {
    answersApp(server)
    server.maxRequestsPerSocket = 3
  }
  const own = await startPair({ app })
  const three = 'GET /text HTTP/1.1\r\nHost: test\r\n\r\n'.repeat(3)
  const bare = new Wire(own.barePort).write(three)
  const expected = await bare.untilText(/Connection: close[\s\S]*hello$/)
  bare.destroy()
  assertSame(await conversation(own.port, three), withoutChunks(masked(expected)))
  await own.stop()
})

test('an upgrade without a listener is an ordinary request, and so is the next', async () => {
  const upgrade = 'GET /text HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n'
  const plain = 'GET /text HTTP/1.1\r\nHost: test\r\n\r\n'
  await sameInTurn([upgrade, plain, upgrade, plain].map((bytes) => ({ bytes, until: /hello$/ })))
})

test('more fields than Node counts', async () => {
  const bytes = `GET /echo HTTP/1.1\r\nHost: test\r\nConnection: close\r\n${'a:b\r\n'.repeat(2_500)}\r\n`
  const [forwarded, bare] = await Promise.all([pair.port, pair.barePort].map((port) => conversation(port, bytes)))
  // Which fields count differs; newer versions of Node refuse such a head.
  const rawHeaders = (text: string | undefined): string | undefined => text?.match(/"rawHeaders":\[[^\]]*\]/)?.[0]
  assert.is(rawHeaders(forwarded), rawHeaders(bare))
  assert.is(forwarded?.split('\r\n')[0], bare?.split('\r\n')[0])
})

test('a draining worker ends its connections with forwarded answers too', async () => {
  const near = createServer()
  forwardAll(near, pair.forwarder, async () => ({ socketPath: pair.socketPath }))
  const emit = near.emit.bind(near)
  near.emit = ((event: string, ...values: unknown[]) => {
    if (event === 'request') (values[1] as ServerResponse).shouldKeepAlive = false
    return emit(event, ...values)
  }) as typeof near.emit
  await new Promise<void>((resolve) => void near.listen(0, '127.0.0.1', resolve))
  for (const path of ['/text', '/chunks', '/keep-alive', '/no-connection-field']) {
    const answer = await conversation((near.address() as AddressInfo).port, `GET ${path} HTTP/1.1\r\nHost: test\r\n\r\n`)
    assert.is(/^Connection: close\r\n/m.test(answer), path !== '/no-connection-field')
    assert.not.match(answer, /keep-alive/i)
  }
  near.close()
})

test('an expectation that the app answers itself', async () => {
  const app = (server: Pick<Server, 'on'>): void => {
    server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
      response.writeHead(417, { 'X-Expected': request.rawHeaders.join() }).end('not that')
    })
    answersApp(server)
  }
  const own = await startPair({ app })
  const text = await same(`POST /echo HTTP/1.1\r\nHost: test\r\nExpect: tea\r\nContent-Length: 2\r\n\r\nab${LAST}`, own)
  assert.match(text, /^HTTP\/1\.1 417 [\s\S]*X-Expected: Host,test,Expect,tea,Content-Length,2\r\n/)
  await own.stop()
})

test('the app sees none of the added fields', async () => {
  const seen = await conversation(pair.port, `GET /echo HTTP/1.1\r\nHost: test\r\n\r\n${LAST}`)
  assert.not.match(seen, /switchyard/i)
})

test.run()
