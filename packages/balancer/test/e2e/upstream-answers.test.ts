// What upstream servers may answer: odd framings pass as far as they are clear, and no bytes reach a client whose request they do not answer.

import { assert, suite } from '../../../../test/suite.ts'
import { ok, RecordingServer } from '../../../../test/support/recording-server.ts'
import { until } from '../../../../test/support/until.ts'
import { type Answer, get, RawClient } from './support/raw-client.ts'
import { type RunningBalancer, startBalancer } from './support/running-balancer.ts'

const test = suite('upstream answers', { timeoutMs: 60_000 })

const KEEP = { Connection: 'keep-alive' }
let server: RecordingServer
let balancer: RunningBalancer

test.before(async () => {
  server = await RecordingServer.start()
  const upstream = { servers: [`http://127.0.0.1:${server.port}`], maxFailures: 1_000_000 }
  balancer = await startBalancer({ config: { pools: { up: { workers: 1, upstream } } } })
  await balancer.untilAllReady()
})

test.before.each(() => {
  server.clear()
  server.answer = ok
})

test.after(async () => assert.is(await balancer.stop(), 0))

/** The answer to one request. `parts`: written by the server, each as soon as it can be. */
async function answered(parts: readonly string[], { method = 'GET', ends = false } = {}): Promise<Answer | 'broken'> {
  server.answer = (_request, socket) => {
    const write = (at: number): void => {
      if (at < parts.length) socket.write(parts[at] as string, 'latin1', () => setImmediate(write, at + 1))
      else if (ends) socket.end()
    }
    write(0)
  }
  const client = new RawClient(balancer.port)
  try {
    return await client.write(`${method} /a HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n`).answer(undefined, method)
  } catch {
    return 'broken'
  } finally {
    client.destroy()
  }
}

test('answers of each framing, in one piece and byte by byte', async () => {
  const answers: readonly (readonly [text: string, body: string, ends: boolean])[] = [
    ['HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello', 'hello', false],
    ['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;a=b\r\nllo\r\n0\r\n\r\n', 'hello', false],
    ['HTTP/1.1 200 OK\r\n\r\nhello', 'hello', true],
    ['HTTP/1.0 200 OK\r\n\r\nhello', 'hello', true],
  ]
  for (const [text, body, ends] of answers) {
    for (const parts of [[text], [...text]]) {
      const found = await answered(parts, { ends })
      assert.ok(found !== 'broken', text)
      assert.equal([found.status, found.body.toString()], [200, body], text)
    }
  }
  const head = await answered(['HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n'], { method: 'HEAD' })
  assert.ok(head !== 'broken')
  assert.equal([head.status, head.headers.get('content-length')], [200, ['5']])
})

test('bytes behind an answer, and bytes that no request asked for, reach no client', async () => {
  const stray = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray'
  for (const isLate of [false, true]) {
    server.answer = (request, socket) => {
      ok(request, socket)
      if (isLate) setImmediate(() => socket.write(stray))
      else socket.write(stray)
    }
    const client = new RawClient(balancer.port)
    for (let count = 0; count < 20; count++) {
      const { status, body } = await client.write(get('/stray', KEEP)).answer()
      assert.equal([status, body.toString()], [200, 'ok'])
    }
    client.destroy()
    await until(() => server.open.size === 0, 5_000, 'the end of the connections')
  }
})

test('an answer that is no HTTP/1, or framed in two ways, is 502, and its connection ends', async () => {
  const faulty = [
    'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!',
    'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello',
    'HTTP/1.1 200 OK\r\nX-A: 1\r\n folded: 2\r\nContent-Length: 0\r\n\r\n',
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n',
    'SSH-2.0-OpenSSH\r\n\r\n',
    `HTTP/1.1 200 OK\r\nX-A: ${'a'.repeat(70_000)}\r\n\r\n`,
  ]
  for (const text of faulty) {
    const found = await answered([text])
    assert.ok(found !== 'broken', text.slice(0, 100))
    assert.equal([found.status, found.body.toString()], [502, '502 Bad Gateway (bad-answer)\n'], text.slice(0, 100))
  }
  await until(() => server.open.size === 0, 5_000, 'the end of the connections')
  const broken = await answered(['HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nx\r\n'])
  assert.is(broken, 'broken')
})

test('large bodies pass both ways unchanged while both sides are slow by turns', async () => {
  const bytes = 3_000_000
  const body = Buffer.alloc(bytes, 'a0b1c2d3e4f5g').toString('latin1')
  server.answer = (_request, socket) => void socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes}\r\n\r\n${body}`, 'latin1')
  for (const coding of ['length', 'chunks']) {
    server.clear()
    const client = new RawClient(balancer.port)
    const fields = coding === 'length' ? `Content-Length: ${bytes}` : 'Transfer-Encoding: chunked'
    client.write(`POST /large HTTP/1.1\r\nHost: test\r\n${fields}\r\n\r\n`)
    client.write(coding === 'length' ? body : `${bytes.toString(16)}\r\n${body}\r\n0\r\n\r\n`)
    client.socket.pause()
    await until(() => server.requests.length === 1, 20_000, 'the request')
    client.socket.resume()
    const found = await client.answer(20_000)
    assert.ok(found.body.toString('latin1') === body, 'the answer has changed')
    assert.ok(server.requests[0]?.body === body, 'the request has changed')
    client.destroy()
  }
})

test.run()
