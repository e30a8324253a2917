// The limits of HTTP/2 that ends in the workers: a client that goes beyond one loses its stream or its connection, and others do not notice.

import { constants } from 'node:http2'
import { connect } from 'node:net'
import { assert, suite } from '../../../../test/suite.ts'
import { until, untilEvent } from '../../../../test/support/until.ts'
import { answerTo, Http2Client } from './support/http2-client.ts'
import { portOf, type RunningBalancer, startBalancer } from './support/running-balancer.ts'

const test = suite('limits of HTTP/2', { timeoutMs: 60_000 })
const local = { host: '127.0.0.1', port: 0 }

let balancer: RunningBalancer
let plain: number
let prior: number

test.before(async () => {
  balancer = await startBalancer({
    config: {
      app: 'http2-app.mjs',
      pools: { web: { workers: 1 } },
      listen: [
        { ...local, http2: { idleTimeoutMs: 300, sendTimeoutMs: 300, maxResetsPerMinute: 50 } },
        { ...local, protocol: 'http2', http2: { maxConcurrentStreams: 10 } },
      ],
    },
  })
  ;[plain, prior] = balancer.addresses.map(portOf) as [number, number]
})
test.after(async () => assert.is(await balancer.stop(), 0))

test('a client that resets too many streams loses its connection, and others do not', async () => {
  const hasty = new Http2Client(`http://127.0.0.1:${plain}`)
  const other = new Http2Client(`http://127.0.0.1:${plain}`)
  // With a stream its connection is not idle.
  const upload = other.open('/body', { ':method': 'POST' })
  const answer = answerTo(upload)
  upload.write('a part')
  const goaway = untilEvent(hasty.session, 'goaway')
  goaway.catch(() => {})
  assert.is((await hasty.get('/hello')).status, 200)
  for (let count = 0; count < 200 && !hasty.session.destroyed; count++) {
    const stream = hasty.open('/hold', {}, true)
    stream.close(constants.NGHTTP2_CANCEL)
    await new Promise(setImmediate)
  }
  await until(() => hasty.session.destroyed)
  assert.is((await goaway)[0], constants.NGHTTP2_ENHANCE_YOUR_CALM)
  upload.end()
  assert.is((await answer).status, 200)
  other.close()
})

test('a connection without streams is ended after a while, and so is a response that its client does not accept', async () => {
  const idle = new Http2Client(`http://127.0.0.1:${plain}`)
  assert.is((await idle.get('/hello')).status, 200)
  await until(() => idle.session.closed)
  assert.equal(idle.faults, [])
  const stalled = new Http2Client(`http://127.0.0.1:${plain}`, { settings: { initialWindowSize: 0 } })
  const small = answerTo(stalled.open('/hello', {}, true))
  const large = answerTo(stalled.open('/big?bytes=1000000', {}, true))
  for (const answer of await Promise.all([small, large])) assert.equal([answer.rstCode, answer.body], [constants.NGHTTP2_CANCEL, ''])
})

const PREFACE = Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(4, 0, 0, Buffer.alloc(0))])

function frame(type: number, flags: number, stream: number, content: Buffer): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(content.length, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, content])
}

/** GET / in HPACK: three indexed fields, and an authority. */
const HEAD = Buffer.concat([Buffer.from([0x82, 0x84, 0x86, 0x41, 1]), Buffer.from('a')])
/** A field that is new in each frame, 1,000 bytes of value. */
const LARGE_FIELD = Buffer.concat([Buffer.from([0x40, 1, 0x78, 0x7f, 0xe8 - 0x7f, 7 - 0]), Buffer.alloc(1000, 'a')])
/** The same field again, from the dynamic table: an HPACK bomb. */
const BOMB = Buffer.concat([HEAD, LARGE_FIELD, Buffer.alloc(16_000, 0xbe)])

const floods: [what: string, bytes: (index: number) => Buffer][] = [
  ['CONTINUATION', (index) => (index === 0 ? frame(1, 0, 1, HEAD) : frame(9, 0, 1, LARGE_FIELD))],
  ['empty CONTINUATION', (index) => (index === 0 ? frame(1, 0, 1, HEAD) : frame(9, 0, 1, Buffer.alloc(0)))],
  ['SETTINGS', () => frame(4, 0, 0, Buffer.alloc(0))],
  ['PING', () => frame(6, 0, 0, Buffer.alloc(8))],
  ['RST_STREAM', (index) => Buffer.concat([frame(1, 5, index * 2 + 1, HEAD), frame(3, 0, index * 2 + 1, Buffer.from([0, 0, 0, 8]))])],
  ['HPACK bombs', (index) => frame(1, 5, index * 2 + 1, BOMB)],
]
for (const [what, bytes] of floods)
  test(`a flood of ${what} is bounded, and others are served`, async () => {
    const other = new Http2Client(`http://127.0.0.1:${prior}`)
    const before = (await other.get('/hello')).headers['x-pid']
    const flood = connect(plain, '127.0.0.1')
    // It reads nothing, so answers pile up in the worker.
    flood.on('error', () => {})
    flood.write(PREFACE)
    for (let index = 0; index < 20_000 && !flood.destroyed; index += 100) {
      const all = Buffer.concat(Array.from({ length: 100 }, (_, offset) => bytes(index + offset)))
      flood.write(all)
      await until(() => flood.destroyed || flood.writableLength < 1_000_000, 10_000)
    }
    flood.resume()
    await until(() => flood.destroyed || flood.readableEnded, 10_000, 'the end of the connection')
    const { status, headers } = await other.get('/hello')
    assert.equal([status, headers['x-pid']], [200, before])
    flood.destroy()
    other.close()
  })

test('at most so many streams at a time', async () => {
  const one = new Http2Client(`http://127.0.0.1:${prior}`)
  await one.get('/hello')
  assert.is(one.session.remoteSettings.maxConcurrentStreams, 10)
  const answers = await Promise.all(Array.from({ length: 40 }, () => one.get('/hello')))
  assert.ok(answers.every(({ status }) => status === 200))
  one.close()
})

test.run()
