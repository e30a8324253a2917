// Nothing is written to a connection before it is claimed, because another worker may have won the claim.

import { createServer, type Server as HttpServer } from 'node:http'
import { type AddressInfo, connect, createServer as createNetServer, type Server, type Socket } from 'node:net'
import { type Offer, packTag } from '@switchyard/handoff'
import { assert, atSuiteEnd, suite } from '../../../../test/suite.ts'
import { untilEvent } from '../../../../test/support/until.ts'
import { hookRequests, type RequestHookOptions } from '../../src/request-hook.ts'
import { Receiver } from '../../src/server/receiver.ts'
import { InFlight } from '../../src/server/requests/in-flight.ts'
import { RequestSpans } from '../../src/traces/request-spans.ts'

const test = suite('receiver')

interface Visit {
  /** The worker's end of a connection, still unread. */
  readonly socket: Socket
  /** Everything that the client receives until the connection ends. */
  readonly told: Promise<string>
}

async function visit(): Promise<Visit> {
  const listener = createNetServer({ pauseOnConnect: true })
  listener.listen(0, '127.0.0.1')
  await untilEvent(listener, 'listening')
  const accepted = untilEvent(listener, 'connection')
  const client = connect((listener.address() as AddressInfo).port, '127.0.0.1')
  const [socket] = (await accepted) as [Socket]
  listener.close()
  let text = ''
  client.on('data', (bytes) => {
    text += bytes
  })
  client.on('error', () => {})
  return { socket, told: new Promise((resolve) => client.once('close', () => resolve(text))) }
}

/** An offer that the worker wins or loses; records everything done to the connection, in order. */
class Attempt implements Offer {
  readonly tag = packTag(0, true)
  readonly offeredUs = 0
  readonly carried = undefined
  readonly events: string[] = []
  private readonly server: Server
  private readonly wins: boolean
  private readonly socket: Socket
  private readonly bytes: Buffer

  constructor(server: Server, socket: Socket, text: string, wins: boolean) {
    this.server = server
    this.wins = wins
    this.socket = socket
    this.bytes = Buffer.from(text, 'latin1')
    const { write, end } = socket
    socket.write = ((...values: Parameters<Socket['write']>) => {
      this.events.push('write')
      return Reflect.apply(write, socket, values)
    }) as Socket['write']
    socket.end = ((...values: Parameters<Socket['end']>) => {
      this.events.push('end')
      return Reflect.apply(end, socket, values)
    }) as Socket['end']
  }

  peek(): Buffer {
    return this.bytes
  }

  claim(): boolean {
    this.events.push('claim')
    return this.wins
  }

  accept(): Socket {
    ;(this.socket as Socket & { server?: Server }).server = this.server
    this.server.emit('connection', this.socket)
    return this.socket
  }

  stayBusy(): void {}

  release(): void {
    this.socket.destroy()
  }
}

/** A receiver for a server with the request hook, as in a worker. */
function receiverOf(server: HttpServer): Receiver {
  const receiver = new Receiver(server, new InFlight(), () => {})
  const parts = {
    countConnections: () => {},
    receiver,
    forwarded: {
      hasConnections: false,
      accept: (socket: Socket, announce: (event: string, socket: Socket) => boolean) => announce('connection', socket),
    },
    inFlight: new InFlight(),
    rest: { isOn: false },
    mover: { isOn: false },
    spans: new RequestSpans({ pool: 'web', slot: 0 }),
    outbox: { flushReturns: () => {} },
  }
  hookRequests(server, parts as unknown as RequestHookOptions)
  atSuiteEnd(() => void server.closeAllConnections())
  return receiver
}

const NODE_ANSWERS: readonly [what: string, text: string, status: number][] = [
  ['a head without Host', 'GET / HTTP/1.1\r\n\r\n', 400],
  ['an unknown expectation', 'GET / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n', 417],
  ['100-continue', 'POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 0\r\nConnection: close\r\n\r\n', 100],
  ['a head that the parser refuses', 'GET / HTTP/1.1\r\nHost : a\r\n\r\n', 400],
  ['a plain request', 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', 200],
  ['two Hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n', 400],
  ['CONNECT without a listener', 'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n', 0],
  ['half a head', 'GET / HTT', 0],
]

for (const [what, text, status] of NODE_ANSWERS) {
  test(`${what}: nothing is written when the claim is lost`, async () => {
    let asked = 0
    const server = createServer((_request, response) => {
      asked++
      response.end('served')
    })
    const { socket, told } = await visit()
    const attempt = new Attempt(server, socket, text, false)
    receiverOf(server).receive(attempt)
    assert.is(await told, '')
    assert.equal(attempt.events, ['claim'])
    assert.is(asked, 0)
  })

  test(`${what}: it is claimed once, before anything is written`, async () => {
    const server = createServer((_request, response) => response.end('served'))
    const { socket, told } = await visit()
    const attempt = new Attempt(server, socket, text, true)
    receiverOf(server).receive(attempt)
    assert.is(attempt.events[0], 'claim')
    assert.is(attempt.events.filter((event) => event === 'claim').length, 1)
    if (status === 0) socket.destroy()
    else if (status === 417) socket.end()
    const answer = await told
    if (status === 0) assert.is(answer, '')
    else assert.match(answer, new RegExp(`^HTTP/1.1 ${status} `))
  })
}

test('a listener of the app gets claimed connections, and may write to them', async () => {
  const server = createServer(() => {})
  const { socket, told } = await visit()
  const attempt = new Attempt(server, socket, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', true)
  server.on('connection', (connection: Socket) => connection.end('hello'))
  receiverOf(server).receive(attempt)
  assert.equal(attempt.events.slice(0, 2), ['claim', 'end'])
  assert.match(await told, /^hello/)
})

test('a listener of the app that replaces Node’s own gets no lost connection', async () => {
  const server = createServer(() => {})
  let told = 0
  server.removeAllListeners('connection')
  server.on('connection', () => told++)
  const { socket } = await visit()
  receiverOf(server).receive(new Attempt(server, socket, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n', false))
  assert.is(told, 0)
})

test.run()
