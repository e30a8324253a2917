// Events behind the request hook reach the app as on a bare server, and Node's defaults hold where the app does not listen.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { connect as connectHttp2, createServer as createHttp2Server, type Http2Server } from 'node:http2'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { assert, suite } from '../../../test/suite.ts'
import { untilEvent } from '../../../test/support/until.ts'
import { hookRequests, type RequestHookOptions } from '../src/request-hook.ts'
import { InFlight } from '../src/server/requests/in-flight.ts'
import { RequestSpans } from '../src/traces/request-spans.ts'

const test = suite('request hook')

type AnyServer = Server | Http2Server

/** `isSteered`: as with several pools. */
function hookBefore(server: AnyServer, isSteered: boolean): void {
  const parts = {
    countConnections: () => {},
    receiver: { mayAct: () => true, countReceived: () => {}, recordResponse: () => {} },
    forwarded: {
      hasConnections: false,
      accept: (socket: Socket, announce: (event: string, socket: Socket) => boolean) => announce('connection', socket),
    },
    inFlight: new InFlight(),
    steering: isSteered ? { isGivenBack: () => false, decide: () => undefined } : undefined,
    rest: { isOn: false },
    bound: { recordLogin: () => {} },
    mover: { isOn: false },
    spans: new RequestSpans({ pool: 'web', slot: 0 }),
    websockets: { add: () => {} },
    http2Sessions: { add: () => {} },
    outbox: { flushReturns: () => {} },
  }
  hookRequests(server as Server, parts as unknown as RequestHookOptions)
}

interface App {
  readonly name: string
  readonly listen: (server: AnyServer, told: string[]) => void
}

const answer = (told: string[], event: string) => (request: IncomingMessage, response: ServerResponse) => {
  told.push(event)
  request.resume()
  if (event === 'checkContinue') response.writeContinue()
  request.on('end', () => response.end(event))
}

const apps: readonly App[] = [
  { name: 'only requests', listen: (server, told) => void server.on('request', answer(told, 'request')) },
  {
    name: 'every event',
    listen: (server, told) => {
      for (const event of ['request', 'checkContinue', 'checkExpectation']) server.on(event, answer(told, event) as () => void)
      server.on('connect', ((_request: IncomingMessage, second: { end(text?: string): void }) => {
        told.push('connect')
        second.end()
      }) as () => void)
    },
  },
]

async function withServer(server: AnyServer, body: (port: number) => Promise<string>): Promise<string> {
  server.listen(0, '127.0.0.1')
  await untilEvent(server, 'listening')
  try {
    return await body((server.address() as AddressInfo).port)
  } finally {
    server.close()
  }
}

function http1(bytes: string) {
  return (port: number) =>
    new Promise<string>((resolve) => {
      let text = ''
      const socket = connect(port, '127.0.0.1', () => socket.write(bytes))
      socket.on('data', (data) => {
        text += data
      })
      socket.on('close', () => resolve(text.replace(/^Date:.*\r\n/gm, '')))
    })
}

function http2(headers: Record<string, string>) {
  return (port: number) =>
    new Promise<string>((resolve) => {
      const session = connectHttp2(`http://127.0.0.1:${port}`)
      const stream = session.request(headers)
      const seen: string[] = []
      stream.on('continue', () => seen.push('continue'))
      stream.on('response', (response) => seen.push(String(response[':status'])))
      stream.on('data', (data) => seen.push(String(data)))
      stream.on('close', () => session.close(() => resolve(seen.join(' '))))
      stream.end('body')
    })
}

const fields = 'Host: a\r\nConnection: close\r\nContent-Length: 0\r\n'
const exchanges: Record<string, { make: () => AnyServer; ask: (port: number) => Promise<string> }> = {
  'HTTP/1 100-continue': { make: () => createServer(), ask: http1(`POST / HTTP/1.1\r\n${fields}Expect: 100-continue\r\n\r\n`) },
  'HTTP/1 another expectation': { make: () => createServer(), ask: http1(`POST / HTTP/1.1\r\n${fields}Expect: x\r\n\r\n`) },
  'HTTP/1 CONNECT': { make: () => createServer(), ask: http1('CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n') },
  'HTTP/2 100-continue': { make: () => createHttp2Server(), ask: http2({ ':method': 'POST', ':path': '/', expect: '100-continue' }) },
  'HTTP/2 another expectation': { make: () => createHttp2Server(), ask: http2({ ':method': 'POST', ':path': '/', expect: 'x' }) },
  'HTTP/2 CONNECT': { make: () => createHttp2Server(), ask: http2({ ':method': 'CONNECT', ':authority': 'a:1' }) },
}

for (const [title, { make, ask }] of Object.entries(exchanges))
  for (const app of apps)
    for (const isSteered of [false, true])
      test(`${title}, an app that listens for ${app.name}, ${isSteered ? 'several pools' : 'one pool'}`, async () => {
        const told: [bare: string[], hooked: string[]] = [[], []]
        const [bare, hooked] = [make(), make()]
        hookBefore(hooked, isSteered)
        app.listen(bare, told[0])
        app.listen(hooked, told[1])
        const [expected, actual] = [await withServer(bare, ask), await withServer(hooked, ask)]
        assert.is(actual, expected)
        assert.equal(told[1], told[0])
      })

test.run()
