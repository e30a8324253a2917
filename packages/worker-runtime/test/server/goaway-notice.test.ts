// The announcement of the end of an HTTP/2 session, seen by a client that writes frames itself.

import { performServerHandshake, type ServerHttp2Session } from 'node:http2'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { assert, atSuiteEnd, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { announceGoaway, type GoawayOptions } from '../../src/server/goaway-notice.ts'

const [HEADERS, SETTINGS, PING, GOAWAY] = [1, 4, 6, 7]
const HEAD_BYTES = 9
/** END_STREAM and END_HEADERS. */
const WHOLE = 5
/** `:method` GET, `:scheme` http, `:path` /, `:authority` a (RFC 7541, appendix A). */
const REQUEST = Buffer.of(0x82, 0x86, 0x84, 1, 1, 0x61)
const LONG_MS = 60_000
const test = suite('announcement of GOAWAY')

interface Frame {
  readonly type: number
  readonly content: Buffer
}

class Peers {
  readonly frames: Frame[] = []
  readonly streams: number[] = []
  private readonly client: Socket
  readonly session: ServerHttp2Session
  private readonly connection: Socket

  private constructor(client: Socket, session: ServerHttp2Session, connection: Socket) {
    this.client = client
    this.session = session
    this.connection = connection
  }

  /** `onSession` is called in the same turn of the loop in which the session begins. */
  static async open(onSession: (session: ServerHttp2Session, connection: Socket) => void = () => {}): Promise<Peers> {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
    client.write(Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(SETTINGS, 0, 0)]))
    const peers = await new Promise<Peers>((resolve) => {
      server.once('connection', (connection) => {
        const session = performServerHandshake(connection) as ServerHttp2Session
        const made = new Peers(client, session, connection)
        session.on('stream', (stream) => {
          made.streams.push(stream.id ?? 0)
          stream.respond({}, { endStream: true })
        })
        onSession(session, connection)
        resolve(made)
      })
    })
    let rest: Buffer = Buffer.alloc(0)
    client.on('data', (bytes) => {
      rest = Buffer.concat([rest, bytes])
      while (rest.length >= HEAD_BYTES && rest.length >= HEAD_BYTES + rest.readUIntBE(0, 3)) {
        const end = HEAD_BYTES + rest.readUIntBE(0, 3)
        peers.frames.push({ type: rest[3] as number, content: rest.subarray(HEAD_BYTES, end) })
        rest = rest.subarray(end)
      }
    })
    atSuiteEnd(() => {
      client.destroy()
      server.close()
    })
    return peers
  }

  get types(): number[] {
    return this.frames.map(({ type }) => type)
  }

  /** The bytes are with the kernel when this returns. */
  send(...frames: Buffer[]): void {
    this.client.write(Buffer.concat(frames))
  }

  announce(options: Omit<GoawayOptions, 'connection'>): boolean {
    return announceGoaway(this.session, { connection: this.connection, ...options })
  }
}

function frame(type: number, flags: number, stream: number, content: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(HEAD_BYTES)
  head.writeUIntBE(content.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, content])
}

const get = (stream: number): Buffer => frame(HEADERS, WHOLE, stream, REQUEST)

test('comes behind the settings, although the session has only just begun', async () => {
  const peers = await Peers.open((session, connection) => {
    announceGoaway(session, { connection, answerMs: LONG_MS, onRead: () => session.close() })
  })
  await until(() => peers.types.includes(PING))
  assert.equal(peers.types.filter((type) => type !== SETTINGS).slice(0, 2), [GOAWAY, PING])
  assert.is(peers.types[0], SETTINGS)
})

test('streams are served until the client has answered', async () => {
  const peers = await Peers.open()
  let hasAnswered = false
  const onRead = (): void => {
    hasAnswered = true
  }
  assert.ok(peers.announce({ answerMs: LONG_MS, onRead }))
  await until(() => peers.types.includes(PING))
  peers.send(get(1))
  await until(() => peers.streams.includes(1))
  assert.not(hasAnswered)
  peers.send(get(3), frame(PING, 1, 0, peers.frames.find(({ type }) => type === PING)?.content))
  await until(() => hasAnswered)
  assert.equal(peers.streams, [1, 3])
})

test('what has arrived is read before the wait for an answer ends', async () => {
  const peers = await Peers.open()
  await until(() => peers.types.includes(SETTINGS))
  const begun: number[] = []
  const isOver = new Promise<void>((resolve) => {
    const onRead = (): void => {
      begun.push(...peers.streams)
      resolve()
    }
    peers.announce({ answerMs: 20, onRead })
  })
  // The loop is blocked until after the end of the wait, and a stream comes meanwhile. Timers follow immediates in the loop.
  setImmediate(() => {
    peers.send(get(1))
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100)
  })
  await isOver
  assert.equal(begun, [1])
})

test('is over with a session that ends', async () => {
  const peers = await Peers.open()
  await until(() => peers.types.includes(SETTINGS))
  const isOver = new Promise<void>((resolve) => void peers.announce({ answerMs: 20, onRead: resolve }))
  peers.session.destroy()
  await isOver
  assert.not(peers.announce({ answerMs: 20, onRead: () => {} }))
})

test.run()
