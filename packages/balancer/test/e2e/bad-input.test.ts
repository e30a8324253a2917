// Bytes that no HTTP library would send: what the primary refuses itself, and what it leaves to the worker's parser.

import { assert, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { exchange, get, json, RawClient } from './support/raw-client.ts'
import { type RunningBalancer, startBalancer } from './support/running-balancer.ts'

interface Answered {
  slot: number
  url: string
  method: string
}

const MAX_HEAD = 4_096
const test = suite('bad input', { timeoutMs: 20_000 })
let balancer: RunningBalancer

test.before(async () => {
  balancer = await startBalancer({
    config: {
      app: 'echo-app.mjs',
      pools: { web: { workers: 2 }, keyed: { workers: 1 } },
      // A request with the key goes to the other pool, so the answer shows whether the head was read.
      routes: [
        { path: '/keyed/*', pool: 'keyed' },
        { header: { 'x-key': 'yes' }, pool: 'keyed' },
        { path: '/sticky/*', policy: { sticky: { by: { header: 'x-session' } } } },
      ],
      policy: 'round-robin',
      maxHeadBytes: MAX_HEAD,
      headTimeoutMs: 3_000,
    },
  })
  await balancer.untilAllReady()
})

test.after(async () => {
  assert.is(await balancer.stop(), 0)
})

/** A request whose head has exactly `bytes` bytes. */
function headOf(bytes: number): string {
  const bare = get('/', { 'X-Padding': '' })
  return get('/', { 'X-Padding': 'p'.repeat(bytes - bare.length) })
}

const answered: readonly [title: string, bytes: string | Buffer, status: number, reason?: string][] = [
  ['a head of exactly the maximum length', headOf(MAX_HEAD), 200],
  ['a head one byte longer', headOf(MAX_HEAD + 1), 431, 'head-too-large'],
  ['a head of 200 kB', headOf(200_000), 431, 'head-too-large'],
  ['a request line without end', `GET /${'a'.repeat(20_000)}`, 431, 'head-too-large'],
  ['plain text', 'hello there, is this a mail server?\r\n\r\n', 400, 'not-http'],
  ['binary noise', Buffer.from([0, 1, 2, 3, 255, 254, 253, 13, 10, 13, 10]), 400, 'not-http'],
  ['a TLS record other than a ClientHello', Buffer.from([0x16, 3, 1, 0, 5, 2, 0, 0, 1, 0]), 400, 'not-http'],
  ['a TLS alert', Buffer.from([0x15, 3, 1, 0, 2, 1, 0]), 400, 'not-http'],
  ['an unknown version', 'GET / HTTP/3.1\r\nHost: test\r\n\r\n', 400],
  ['a request line only', 'GET /\r\n\r\n', 400, 'not-http'],
  // Complete heads and other protocols go to the worker, whose parser decides.
  ['a TLS ClientHello', Buffer.from([0x16, 3, 1, 0, 60, 1, 0, 0, 56, 3, 3, ...Buffer.alloc(54, 1)]), 400],
  ['an HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00', 400],
  ['a bare CR in a field', 'GET / HTTP/1.1\r\nHost: test\r\nX-Key: a\rb\r\n\r\n', 400],
  ['a NUL in a field', 'GET / HTTP/1.1\r\nHost: test\r\nX-Key: a\0b\r\n\r\n', 400],
  ['a space before the colon', 'GET / HTTP/1.1\r\nHost: test\r\nX-Key : yes\r\n\r\n', 400],
  ['empty lines before the request', `\r\n\r\n${get('/')}`, 200],
  ['two different Content-Lengths', 'POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab', 400],
  ['Content-Length with chunks', 'POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 400],
]

for (const [title, bytes, status, reason] of answered) {
  test(`${title}: ${status}${reason === undefined ? '' : ` from the primary, ${reason}`}`, async () => {
    const before = await balancer.status()
    const answer = await exchange(balancer.port, bytes)
    assert.is(answer.status, status)
    const { connections } = await balancer.status()
    if (reason !== undefined) {
      const counts = connections.refused as Readonly<Record<string, number>>
      assert.is(
        (counts[reason] ?? 0) - ((before.connections.refused as Readonly<Record<string, number>>)[reason] ?? 0),
        1,
        JSON.stringify(counts),
      )
      assert.is(connections.handedOff + connections.waiting.offered, before.connections.handedOff + before.connections.waiting.offered)
      assert.equal(answer.headers.get('connection'), ['close'])
    }
  })
}

test('a plain head is routed by its path and by its fields', async () => {
  assert.is(json<{ pool: string }>(await exchange(balancer.port, get('/keyed/1'))).pool, 'keyed')
  assert.is(json<{ pool: string }>(await exchange(balancer.port, get('/', { 'X-Key': 'yes' }))).pool, 'keyed')
  assert.is(json<{ pool: string }>(await exchange(balancer.port, get('/'))).pool, 'web')
})

const refusedByRoutes: readonly [title: string, head: string][] = [
  ['two Hosts', 'GET /keyed/1 HTTP/1.1\r\nHost: one\r\nHost: two\r\n'],
  ['the same Host twice', 'GET / HTTP/1.1\r\nHost: test\r\nHost: test\r\n'],
  ['absolute-form of another host', 'GET http://other/keyed/1 HTTP/1.1\r\nHost: test\r\n'],
  ['a Host with a path', 'GET / HTTP/1.1\r\nHost: test/keyed\r\n'],
  ['an empty Host', 'GET / HTTP/1.1\r\nHost:\r\n'],
  ['a path of two pools', 'GET /sticky/../keyed/1 HTTP/1.1\r\nHost: test\r\n'],
  ['a folded field', 'GET /keyed/1 HTTP/1.1\r\nHost: test\r\nX-Key: yes\r\n more\r\n'],
  ['a bare LF', 'GET /keyed/1 HTTP/1.1\r\nHost: test\nX-Key: yes\r\n'],
]

for (const [title, head] of refusedByRoutes) {
  test(`${title}: 400, as the first request and as a later one`, async () => {
    assert.is((await exchange(balancer.port, `${head}Connection: close\r\n\r\n`)).status, 400)
    const client = new RawClient(balancer.port).write(get('/', { Connection: 'keep-alive' }))
    assert.is((await client.answer()).status, 200)
    client.write(`${head}\r\n`)
    assert.is((await client.answer()).status, 400)
    await client.over()
    client.destroy()
  })
}

const keyedSpellings = [
  '/keyed/1',
  '/x/../keyed/1',
  '/x/%2e%2e/keyed/1',
  '/x\\..\\keyed\\1',
  '/%6beyed/%ff',
  '//x/keyed/1',
  'http://test/keyed/1',
]

for (const target of keyedSpellings) {
  test(`${target}: same pool as /keyed/1, as the first request and as a later one`, async () => {
    const head = `GET ${target} HTTP/1.1\r\nHost: test\r\n`
    assert.is(json<{ pool: string }>(await exchange(balancer.port, `${head}Connection: close\r\n\r\n`)).pool, 'keyed')
    const client = new RawClient(balancer.port).write(get('/', { Connection: 'keep-alive' }))
    assert.is(json<{ pool: string }>(await client.answer()).pool, 'web')
    client.write(`${head}\r\n`)
    assert.is(json<{ pool: string }>(await client.answer()).pool, 'keyed')
    client.destroy()
  })
}

test('a sticky key binds in absolute-form of the own host as in origin-form', async () => {
  const session = 'a-session'
  const plain = json<Answered>(await exchange(balancer.port, get('/sticky/', { 'X-Session': session }))).slot
  for (let turn = 0; turn < 6; turn++) {
    const bytes = `GET http://test/sticky/ HTTP/1.1\r\nHost: test\r\nX-Session: ${session}\r\nConnection: close\r\n\r\n`
    assert.is(json<Answered>(await exchange(balancer.port, bytes)).slot, plain)
  }
})

test('pipelined requests are answered in order, all by the worker of the first', async () => {
  const client = new RawClient(balancer.port)
  const paths = Array.from({ length: 20 }, (_, index) => `/pipelined/${index}`)
  client.write(paths.map((path) => get(path, { Connection: 'keep-alive' })).join(''))
  const answers: Answered[] = []
  for (const _ of paths) answers.push(json<Answered>(await client.answer()))
  client.destroy()
  assert.equal(
    answers.map(({ url }) => url),
    paths,
  )
  assert.is(new Set(answers.map(({ slot }) => slot)).size, 1)
})

test('a head in pieces of one byte is read', async () => {
  const client = await new RawClient(balancer.port).connected()
  for (const byte of Buffer.from(get('/keyed/bytes'))) {
    client.write(Buffer.from([byte]))
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.is(json<Answered>(await client.answer()).url, '/keyed/bytes')
  client.destroy()
})

test('a body that comes partly with the head arrives whole', async () => {
  const client = new RawClient(balancer.port).write('POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 100000\r\n\r\nabc')
  client.write(Buffer.alloc(99_997, 'x'))
  assert.equal((await client.answer()).headers.get('x-body-length'), ['100000'])
  client.destroy()
})

test('a client that half-closes after its request gets its answer', async () => {
  const client = new RawClient(balancer.port)
  client.socket.end(get('/half-closed'))
  assert.is(json<Answered>(await client.answer()).url, '/half-closed')
  await client.over()
  client.destroy()
})

test('a client that half-closes in the middle of a head is closed', async () => {
  const before = (await balancer.status()).connections
  const client = new RawClient(balancer.port)
  client.socket.end('GET /unfinished HTTP/1.1\r\nHos')
  await client.over()
  client.destroy()
  await balancer.untilStatus(
    ({ connections }) => connections.closed === before.closed + 1 && connections.waiting.head === 0,
    'counted as closed',
  )
})

test('clients that hang up early, with a FIN or a reset, leave nothing behind', async () => {
  const descriptors = balancer.descriptors
  for (let turn = 0; turn < 40; turn++) {
    const client = await new RawClient(balancer.port).connected()
    if (turn % 4 >= 2) client.write('GET / HT')
    if (turn % 2 === 0) client.destroy()
    else client.socket.resetAndDestroy()
  }
  assert.is((await exchange(balancer.port, get('/'))).status, 200)
  await balancer.untilDescriptors(descriptors)
  await balancer.untilStatus(({ connections }) => connections.waiting.head === 0, 'no incomplete head')
})

const lingering: readonly [title: string, first: string, status: number][] = [
  ['431', `GET /${'a'.repeat(MAX_HEAD)}`, 431],
  ['400', '\0\0\0\0', 400],
  ['408', 'GET /half HT', 408],
]

for (const [title, first, status] of lingering) {
  test(`a ${title} arrives complete while the client still sends`, async () => {
    const client = await new RawClient(balancer.port).connected()
    client.write(first)
    const more = Buffer.alloc(32_768, 'x')
    let sent = 0
    // Bytes sent before the 408 would belong to the head.
    if (status === 408) await until(() => client.unread > 0 || client.isOver)
    const pump = setInterval(() => {
      if (sent++ < 40 && client.socket.writable) client.write(more)
    }, 2)
    try {
      const answer = await client.answer()
      assert.is(answer.status, status)
      assert.is(answer.body.length, Number(answer.headers.get('content-length')?.[0]))
      await client.over()
      assert.is(client.error, undefined)
    } finally {
      clearInterval(pump)
      client.destroy()
    }
  })
}

test('bad input leaves nothing in the primary', async () => {
  await balancer.untilStatus(({ connections: { waiting } }) => waiting.head + waiting.queue + waiting.offered === 0, 'nothing waiting')
  await balancer.untilAllReady()
})

test.run()
