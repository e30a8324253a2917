// The receiving side of a forward: which requests are trusted, and what the app learns of the client.

import { createServer, request as httpRequest, IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, Socket } from 'node:net'
import { join } from 'node:path'
import fc from 'fast-check'
import { assert, atSuiteEnd, suite } from '../../../../test/suite.ts'
import { until, untilEvent } from '../../../../test/support/until.ts'
import { ForwardedRequests } from '../../src/forward/forwarded.ts'
import { beganOf, fieldsOf, probeField, readField } from '../../src/forward/forwarded-field.ts'
import { answersApp } from '../support/answers-app.ts'
import { forwardAll, type Pair, startPair, TOKEN } from '../support/forward-pair.ts'
import { certificate } from '../support/self-signed.ts'
import { conversation, LAST, Wire } from '../support/wire.ts'

const test = suite('forwarded')

type Facts = Record<'remoteAddress' | 'remotePort' | 'remoteFamily' | 'localAddress' | 'localPort' | 'localFamily' | 'encrypted', unknown>

function factsOf(socket: Socket): Facts & { address: unknown } {
  const { remoteAddress, remotePort, remoteFamily, localAddress, localPort, localFamily, encrypted } = socket as Socket & {
    encrypted?: boolean
  }
  return { remoteAddress, remotePort, remoteFamily, localAddress, localPort, localFamily, encrypted, address: socket.address() }
}

const NO_FACTS = {
  remoteAddress: undefined,
  remotePort: undefined,
  remoteFamily: undefined,
  localAddress: undefined,
  localPort: undefined,
  localFamily: undefined,
  encrypted: undefined,
  address: {},
}

/** A pair whose app records what it learns of each client. */
async function pairOfFacts(): Promise<{ pair: Pair; seen: ReturnType<typeof factsOf>[]; headers: string[][] }> {
  const seen: ReturnType<typeof factsOf>[] = []
  const headers: string[][] = []
  const pair = await startPair({
    app: (server: Pick<Server, 'on'>) => {
      server.on('request', (request: IncomingMessage, response: ServerResponse) => {
        seen.push(factsOf(request.socket))
        headers.push(request.rawHeaders)
        response.end('x')
      })
    },
  })
  return { pair, seen, headers }
}

test('one connection between the workers, many clients: each request has its own client', async () => {
  const { pair, seen } = await pairOfFacts()
  const wires = [0, 1, 2].map(() => new Wire(pair.port))
  for (let round = 0; round < 9; round++) {
    const wire = wires[round % 3] as Wire
    wire.text = ''
    await wire.write('GET / HTTP/1.1\r\nHost: test\r\n\r\n').untilText(/x$/)
    const { port } = wire.socket.address() as AddressInfo
    assert.equal(seen[round], {
      remoteAddress: '127.0.0.1',
      remotePort: port,
      remoteFamily: 'IPv4',
      localAddress: '127.0.0.1',
      localPort: pair.port,
      localFamily: 'IPv4',
      encrypted: undefined,
      address: { address: '127.0.0.1', family: 'IPv4', port: pair.port },
    })
  }
  assert.is(pair.privateSockets.size, 1)
  for (const wire of wires) wire.destroy()
  await pair.stop()
})

test('a probe of the primary comes from this machine, and the app does not see its field', async () => {
  const { pair, seen, headers } = await pairOfFacts()
  const fields = ['host', 'a', ...probeField(TOKEN)]
  const request = httpRequest({ socketPath: pair.socketPath, headers: fields, agent: false }).end()
  const [response] = (await untilEvent(request, 'response')) as [IncomingMessage]
  response.resume()
  await untilEvent(response, 'end')
  assert.equal(seen, [
    {
      ...NO_FACTS,
      remoteAddress: '127.0.0.1',
      remoteFamily: 'IPv4',
      localAddress: '127.0.0.1',
      localFamily: 'IPv4',
      address: { address: '127.0.0.1', family: 'IPv4', port: undefined },
    },
  ])
  assert.equal(headers, [['host', 'a']])
  await pair.stop()
})

test('clients of IPv6 and of a unix socket', async () => {
  const { pair, seen } = await pairOfFacts()
  for (const where of [{ host: '::1', port: 0 }, { path: join(pair.folder, 'clients.sock') }]) {
    const near = createServer(() => {})
    forwardAll(near, pair.forwarder, async () => ({ socketPath: pair.socketPath }))
    await new Promise<void>((resolve) => void near.listen(where, resolve))
    const address = near.address()
    const client = typeof address === 'string' ? connect(address) : connect((address as AddressInfo).port, '::1')
    client.write('GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n')
    client.resume()
    await untilEvent(client, 'close')
    near.close()
  }
  assert.is(seen[0]?.remoteAddress, '::1')
  assert.is(seen[0]?.remoteFamily, 'IPv6')
  assert.equal(seen[1], NO_FACTS)
  await pair.stop()
})

test('without the right token a request is an ordinary one, field and all', async () => {
  const { pair, seen, headers } = await pairOfFacts()
  const facts = 'request 1.0 tls 1.2.3.4 5 6.7.8.9 10'
  const tokens = ['', 'x', TOKEN.slice(1), `${TOKEN}x`, TOKEN.toUpperCase(), `${TOKEN.slice(0, -1)}\xff`]
  const values = [...tokens.map((token) => `${token} ${facts}`), TOKEN, `${TOKEN} `, `${TOKEN} other 1.0 tls 1.2.3.4 5 6.7.8.9 10`]
  const socket = connect(pair.socketPath)
  socket.setEncoding('latin1')
  for (const value of values) {
    socket.write(`GET / HTTP/1.1\r\nHost: test\r\nswitchyard-forwarded: ${value}\r\n\r\n`, 'latin1')
    await untilEvent(socket, 'data')
    assert.equal(seen.at(-1), NO_FACTS)
    assert.equal(headers.at(-1), ['Host', 'test', 'switchyard-forwarded', value.trim()])
  }
  // With the token, the connection can carry both kinds in any order.
  for (const value of [`${TOKEN} ${facts}`, 'x', `${TOKEN} ${facts}`]) {
    socket.write(`GET / HTTP/1.1\r\nHost: test\r\nswitchyard-forwarded: ${value}\r\nX-After: 1\r\n\r\n`)
    await untilEvent(socket, 'data')
    assert.is(seen.at(-1)?.remoteAddress, value === 'x' ? undefined : '1.2.3.4')
    assert.is(seen.at(-1)?.encrypted, value === 'x' ? undefined : true)
    assert.is(headers.at(-1)?.length, value === 'x' ? 6 : 2)
  }
  socket.destroy()
  await pair.stop()
})

test('a client that knows the token is not trusted on a public listener', async () => {
  const { pair, seen, headers } = await pairOfFacts()
  const field = `switchyard-forwarded: ${TOKEN} request 1.0 tls 1.2.3.4 5 6.7.8.9 10\r\n`
  await conversation(pair.barePort, `GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n${field}\r\n`)
  await conversation(pair.port, `GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n${field}\r\n`)
  assert.equal(
    seen.map(({ remoteAddress, encrypted }) => [remoteAddress, encrypted]),
    [
      ['127.0.0.1', undefined],
      ['127.0.0.1', undefined],
    ],
  )
  assert.is(headers[1]?.length, 6)
  await pair.stop()
})

test('any field at all is read without throwing', () => {
  const token = Buffer.from(TOKEN)
  fc.assert(
    fc.property(fc.string(), fc.array(fc.string(), { maxLength: 9 }), (text, words) => {
      readField(text, token, undefined)
      readField(`${TOKEN} ${words.join(' ')}`, token, undefined)
    }),
  )
})

test('the begin of a forward travels only if it is known', () => {
  const request = new IncomingMessage(new Socket())
  assert.is(beganOf(fieldsOf(request, TOKEN)), undefined)
  assert.is(beganOf(fieldsOf(request, TOKEN, -7)), -7)
})

test('the limits of the server are restored when a connection has been announced', () => {
  const server = createServer({ maxHeaderSize: 2_000 })
  const forwarded = new ForwardedRequests(server, TOKEN)
  const limits = (): unknown[] => [(server as { maxHeaderSize?: number }).maxHeaderSize, server.maxHeadersCount]
  const before = limits()
  for (const fails of [false, true]) {
    const socket = connect({ path: '/nowhere', lookup: () => {} })
    socket.on('error', () => {})
    try {
      forwarded.accept(socket, () => {
        assert.equal(limits(), [2_000 * 4 + 8192, 0])
        if (fails) throw new Error('of a listener')
        return true
      })
      assert.not.ok(fails)
    } catch (error) {
      assert.is((error as Error).message, 'of a listener')
    }
    assert.equal(limits(), before)
    socket.destroy()
  }
})

test('https: the app sees what it sees of TLS clients, byte for byte the same answers', async () => {
  const pair = await startPair({ app: answersApp, tls: certificate() })
  for (const bytes of [
    'GET /echo HTTP/1.1\r\nHost: test\r\n\r\n',
    'POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n\r\nbody',
    'GET /trailers HTTP/1.1\r\nHost: test\r\n\r\n',
    'GET /fields HTTP/1.1\r\nHost: test\r\n\r\nGET /chunks HTTP/1.1\r\nHost: test\r\n\r\n',
  ]) {
    const [forwarded, bare] = await Promise.all([pair.port, pair.barePort].map((port) => conversation(port, bytes + LAST, { tls: true })))
    assert.is(forwarded, bare)
    if (bytes.includes('/echo')) assert.match(forwarded as string, /"encrypted":true/)
  }
  await pair.stop()
})

test('https: an upgrade', async () => {
  const app = (server: Pick<Server, 'on'>): void => {
    server.on('upgrade', (request: IncomingMessage, socket: Socket) => {
      const { encrypted } = request.socket as { encrypted?: boolean }
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n${encrypted}`)
      socket.on('data', (part) => socket.end(part))
    })
  }
  const pair = await startPair({ app, tls: certificate() })
  const texts: string[] = []
  for (const port of [pair.port, pair.barePort]) {
    const wire = new Wire(port, { tls: true }).write('GET / HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n')
    await wire.untilText('true')
    texts.push(await wire.write('over TLS').untilEnd())
    wire.destroy()
  }
  assert.is(texts[0], texts[1])
  assert.match(texts[0] as string, /over TLS$/)
  await pair.stop()
})

test('https: a client that hangs up, and an app that breaks off', async () => {
  let closed = 0
  const app = (server: Pick<Server, 'on'>): void => {
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      response.on('close', () => closed++)
      response.write('part')
      if (request.url === '/break') setTimeout(() => response.destroy(), 20)
    })
  }
  const pair = await startPair({ app, tls: certificate() })
  const wire = new Wire(pair.port, { tls: true }).write('GET / HTTP/1.1\r\nHost: test\r\n\r\n')
  await wire.untilText('part')
  wire.destroy()
  await until(() => closed === 1)
  assert.match(await conversation(pair.port, 'GET /break HTTP/1.1\r\nHost: test\r\n\r\n', { tls: true }), /part$/)
  assert.match(await conversation(pair.port, 'GET /break HTTP/1.0\r\n\r\n', { tls: true }), /part$/)
  await pair.stop()
})

test("the app's own requests to the private socket are answered", async () => {
  const { pair, seen } = await pairOfFacts()
  const agentless = httpRequest({ socketPath: pair.socketPath, path: '/', agent: false })
  atSuiteEnd(() => agentless.destroy())
  agentless.end()
  const [response] = (await untilEvent(agentless, 'response')) as [IncomingMessage]
  response.resume()
  await untilEvent(response, 'end')
  assert.equal(seen, [NO_FACTS])
  await pair.stop()
})

test.run()
