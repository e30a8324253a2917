// Frames of HTTP/2 in every wrong place, length and state, as h2spec sends them. The answers of HTTP/2 that ends in a worker, and of an app's own server behind
// the balancer, are those of Node's own server in the same run.

import { createServer, type Http2Server } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { assert, suite } from '../../../../test/suite.ts'
import { ACK, END_HEADERS, END_STREAM, fields, frame, PREFACE, RawHttp2, request, setting, types, uint32 } from './support/raw-http2.ts'
import { type RunningBalancer, startBalancer } from './support/running-balancer.ts'

const test = suite('frames of HTTP/2', { timeoutMs: 60_000 })
const WHOLE = END_STREAM | END_HEADERS
/** `/hold` is not answered, so the state of its stream is known. */
const HELD = frame(types.headers, WHOLE, 1, request('/hold'))
const OPEN = frame(types.headers, END_HEADERS, 1, request('/hold', 'POST'))
const HELLO = frame(types.headers, WHOLE, 1, request('/hello'))
/** Streams that are never answered are under way at the end. */
const DRAIN_MS = 500
const ZERO_8 = Buffer.alloc(8)

let terminated: RunningBalancer
let own: RunningBalancer
let bare: Http2Server

test.before(async () => {
  bare = createServer((asked, response) => {
    asked.resume()
    if (!asked.url.startsWith('/hold')) response.end('hello')
  })
  await new Promise<void>((resolve) => void bare.listen(0, '127.0.0.1', resolve))
  ;[terminated, own] = await Promise.all([
    startBalancer({
      config: {
        app: 'http2-app.mjs',
        pools: { web: { workers: 1 } },
        listen: { host: '127.0.0.1', port: 0, protocol: 'http2', http2: true },
        drainTimeoutMs: DRAIN_MS,
      },
    }),
    startBalancer({ config: { app: 'http2-own-app.mjs', pools: { web: { workers: 1 } }, drainTimeoutMs: DRAIN_MS } }),
  ])
})
test.after(async () => {
  bare.close()
  assert.equal(await Promise.all([terminated.stop(), own.stop()]), [0, 0])
})

interface Case {
  /** What the balancer answers, where it is not what Node does. */
  readonly own?: string
  /** Stream 1 gets an answer. */
  readonly isAnswered?: boolean
  /** Left out of `frames`: the connection begins as it should. */
  readonly hasPreface?: boolean
}

function head(...all: (readonly [string, string])[]): Buffer {
  return frame(types.headers, WHOLE, 1, fields(...all))
}
function more(...all: (readonly [string, string])[]): Buffer {
  return frame(types.headers, WHOLE, 1, request('/hello', 'GET', fields(...all)))
}

/** Node says INTERNAL_ERROR; RFC 9113 §3.4 asks for this. */
const NO_PREFACE: Case = { hasPreface: false, own: 'GOAWAY PROTOCOL_ERROR, end' }

const cases: [what: string, frames: Buffer[], rest?: Case][] = [
  ['a whole request', [HELLO], { isAnswered: true }],
  ['an unknown frame before a request', [frame(0x16, 0xff, 0, ZERO_8), HELLO], { isAnswered: true }],
  ['unknown flags of PING', [frame(types.ping, 0x16, 0, ZERO_8), HELLO], { isAnswered: true }],
  ['an unknown setting', [setting(0xff, 1), HELLO], { isAnswered: true }],
  ['PRIORITY of an idle stream', [frame(types.priority, 0, 3, Buffer.from([0, 0, 0, 0, 255])), HELLO], { isAnswered: true }],
  [
    'a head in three frames',
    [
      frame(types.headers, END_STREAM, 1, request('/hello').subarray(0, 20)),
      frame(types.continuation, 0, 1, request('/hello').subarray(20, 40)),
      frame(types.continuation, END_HEADERS, 1, request('/hello').subarray(40)),
    ],
    { isAnswered: true },
  ],
  ['no preface', [Buffer.from('INVALID CONNECTION PREFACE\r\n\r\n')], NO_PREFACE],
  ['a faulty preface', [Buffer.from('PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n')], NO_PREFACE],
  ['no SETTINGS first', [PREFACE, frame(types.ping, 0, 0, ZERO_8)], { hasPreface: false }],
  ['a frame that is too long', [frame(types.data, 0, 1, Buffer.alloc(16_385))]],
  ['DATA without a stream', [frame(types.data, 0, 0, ZERO_8)]],
  ['DATA of an idle stream', [frame(types.data, END_STREAM, 1, ZERO_8)]],
  ['DATA after the end of a request', [HELD, frame(types.data, END_STREAM, 1, ZERO_8)]],
  ['DATA with more padding than content', [OPEN, frame(types.data, 8, 1, Buffer.from([9, 1, 2]))]],
  ['HEADERS without a stream', [frame(types.headers, WHOLE, 0, request('/hello'))]],
  ['HEADERS after the end of a request', [HELD, frame(types.headers, WHOLE, 1, request('/hello'))]],
  ['HEADERS of an even stream', [frame(types.headers, WHOLE, 2, request('/hello'))]],
  ['HEADERS of a lower stream', [frame(types.headers, WHOLE, 5, request('/hold')), frame(types.headers, WHOLE, 3, request('/hold'))]],
  [
    'HEADERS of another stream within a head',
    [frame(types.headers, END_STREAM, 1, request('/hello')), frame(types.headers, WHOLE, 3, request('/hello'))],
  ],
  ['a stream that depends on itself', [frame(types.headers, WHOLE | 0x20, 1, Buffer.concat([uint32(1), Buffer.of(1), request('/hold')]))]],
  ['PRIORITY without a stream', [frame(types.priority, 0, 0, Buffer.alloc(5))]],
  ['PRIORITY of a wrong length', [HELD, frame(types.priority, 0, 1, Buffer.alloc(4))]],
  ['RST_STREAM without a stream', [frame(types.reset, 0, 0, uint32(8))]],
  ['RST_STREAM of an idle stream', [frame(types.reset, 0, 1, uint32(8))]],
  ['RST_STREAM of a wrong length', [HELD, frame(types.reset, 0, 1, Buffer.alloc(3))]],
  ['SETTINGS with a stream', [frame(types.settings, 0, 1)]],
  ['SETTINGS of a wrong length', [frame(types.settings, 0, 0, Buffer.alloc(3))]],
  ['an acknowledgement of SETTINGS with content', [frame(types.settings, ACK, 0, Buffer.alloc(6))]],
  ['ENABLE_PUSH of 2', [setting(2, 2)]],
  ['INITIAL_WINDOW_SIZE above its limit', [setting(4, 2 ** 31)]],
  ['MAX_FRAME_SIZE below its limit', [setting(5, 16_383)]],
  ['MAX_FRAME_SIZE above its limit', [setting(5, 2 ** 24)]],
  ['PUSH_PROMISE of a client', [HELD, frame(types.push, END_HEADERS, 1, Buffer.concat([uint32(2), request('/hello')]))]],
  ['PING with a stream', [frame(types.ping, 0, 1, ZERO_8)]],
  ['PING of a wrong length', [frame(types.ping, 0, 0, Buffer.alloc(6))]],
  ['GOAWAY with a stream', [frame(types.goaway, 0, 1, ZERO_8)]],
  ['WINDOW_UPDATE of 0', [frame(types.window, 0, 0, uint32(0))]],
  ['WINDOW_UPDATE of 0 of a stream', [HELD, frame(types.window, 0, 1, uint32(0))]],
  ['WINDOW_UPDATE of a wrong length', [frame(types.window, 0, 0, Buffer.alloc(3))]],
  ['WINDOW_UPDATE of an idle stream', [frame(types.window, 0, 1, uint32(1))]],
  ['a window above its limit', [frame(types.window, 0, 0, uint32(2 ** 31 - 1)), frame(types.window, 0, 0, uint32(2 ** 31 - 1))]],
  ['a window of a stream above its limit', [HELD, frame(types.window, 0, 1, uint32(2 ** 31 - 1))]],
  ['CONTINUATION without HEADERS', [frame(types.continuation, END_HEADERS, 1, request('/hello'))]],
  ['CONTINUATION after a whole head', [HELD, frame(types.continuation, END_HEADERS, 1, request('/hello'))]],
  ['a field that HPACK does not have', [frame(types.headers, WHOLE, 1, Buffer.of(0x82, 0xff, 0x80, 0x01))]],
  ['a field that is cut off', [frame(types.headers, WHOLE, 1, Buffer.of(0x00, 0x7f))]],
  ['upper case in a field name', [more(['X-One', '1'])]],
  ['Connection', [more(['connection', 'close'])]],
  ['TE other than trailers', [more(['te', 'gzip'])]],
  ['an unknown pseudo-header field', [more([':other', '1'])]],
  ['a pseudo-header field of a response', [more([':status', '200'])]],
  ['a pseudo-header field after others', [head([':method', 'GET'], ['x', '1'], [':scheme', 'http'], [':path', '/hello'])]],
  ['no :method', [head([':scheme', 'http'], [':path', '/hello'])]],
  ['no :scheme', [head([':method', 'GET'], [':path', '/hello'])]],
  ['no :path', [head([':method', 'GET'], [':scheme', 'http'])]],
  ['an empty :path', [head([':method', 'GET'], [':scheme', 'http'], [':path', ''])]],
  ['two of :path', [more([':path', '/hello'])]],
  ['a pseudo-header field in trailers', [OPEN, frame(types.headers, WHOLE, 1, fields([':method', 'GET']))]],
  ['trailers without an end', [OPEN, frame(types.headers, END_HEADERS, 1, fields(['x', '1']))]],
  [
    'a body longer than Content-Length',
    [
      frame(types.headers, END_HEADERS, 1, request('/hold', 'POST', fields(['content-length', '1']))),
      frame(types.data, END_STREAM, 1, ZERO_8),
    ],
  ],
  [
    'a body shorter than Content-Length',
    [
      frame(types.headers, END_HEADERS, 1, request('/hold', 'POST', fields(['content-length', '9']))),
      frame(types.data, END_STREAM, 1, ZERO_8),
    ],
  ],
  ['a Content-Length that is no number', [more(['content-length', 'x'])]],
]

/** Of bare Node, of HTTP/2 that ends in a worker, and of an app's own server. */
type Outcomes = [nodes: string, ours: string, apps: string]
let outcomes: Outcomes[]

test.before(async () => {
  const ports = [(bare.address() as AddressInfo).port, terminated.port, own.port]
  const outcomeOf = (port: number, frames: readonly Buffer[], { isAnswered = false, hasPreface = true }: Case): Promise<string> => {
    const client = new RawHttp2(port)
    if (hasPreface) client.begin()
    return client.send(...frames).outcome(isAnswered)
  }
  outcomes = await Promise.all(
    cases.map(([, frames, rest = {}]) => Promise.all(ports.map((port) => outcomeOf(port, frames, rest))) as Promise<Outcomes>),
  )
})

for (const [index, [what, , { own: otherwise } = {}]] of cases.entries())
  test(what, () => {
    const [nodes, ours, apps] = outcomes[index] as Outcomes
    assert.equal({ ours, apps }, { ours: otherwise ?? nodes, apps: otherwise ?? nodes })
  })

test.run()
