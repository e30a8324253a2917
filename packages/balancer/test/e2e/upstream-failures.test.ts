// Upstream servers that fail, and clients that do: a failure costs as little as possible, and no request that may have acted is sent twice.

import { assert, suite } from '../../../../test/suite.ts'
import { freePort } from '../../../../test/support/ports.ts'
import { ok, RecordingServer } from '../../../../test/support/recording-server.ts'
import { until } from '../../../../test/support/until.ts'
import type { BalancerConfig } from '../../src/config/config.ts'
import { runCommand } from './support/commands.ts'
import { exchange, get, RawClient } from './support/raw-client.ts'
import { type RunningBalancer, startBalancer } from './support/running-balancer.ts'
import { upstreamPools, urlOf } from './support/upstream-pools.ts'

const test = suite('upstream failures', { timeoutMs: 60_000 })

let one: RecordingServer
let two: RecordingServer
let sick: RecordingServer
let well: RecordingServer
let gone: number
let balancer: RunningBalancer

function configOf(): BalancerConfig {
  return {
    app: 'slot-app.mjs',
    ...upstreamPools(
      {
        // Many failures in a row are meant here.
        cut: { servers: [urlOf(one.port)], maxFailures: 1_000_000 },
        again: { servers: [urlOf(one.port)] },
        partly: { servers: [urlOf(gone), urlOf(two.port)], maxFailures: 2, ejectionMs: 300 },
        late: { servers: [urlOf(one.port)], responseTimeoutMs: 200, maxFailures: 1_000 },
        none: { servers: [urlOf(gone)] },
        full: { servers: [urlOf(one.port)], maxConnections: 2 },
        probed: { servers: [urlOf(sick.port), urlOf(well.port)] },
      },
      { full: { queue: { timeoutMs: 400 } }, probed: { healthWhen: { path: '/health', intervalMs: 50, failures: 2 } } },
    ),
  }
}

test.before(async () => {
  one = await RecordingServer.start()
  two = await RecordingServer.start()
  sick = await RecordingServer.start()
  well = await RecordingServer.start()
  gone = await freePort()
  balancer = await startBalancer({ config: configOf() })
  await balancer.untilAllReady()
})

test.before.each(() => {
  for (const server of [one, two]) {
    server.clear()
    server.answer = ok
  }
})

test.after(async () => assert.is(await balancer.stop(), 0))

test('an answer that is cut at any byte is never taken for a whole one, and a POST is never sent twice', async () => {
  const whole = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello'
  const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n'
  for (const [text, headLength] of [whole, chunked].map((answer) => [answer, answer.indexOf('\r\n\r\n') + 4] as const)) {
    for (let bytes = 0; bytes < text.length; bytes++) {
      for (const isReset of [false, true]) {
        one.clear()
        one.answer = (_request, socket) => {
          socket.write(text.slice(0, bytes), () => (isReset ? socket.resetAndDestroy() : socket.destroy()))
        }
        const client = new RawClient(balancer.port)
        client.write('POST /cut/ HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\n\r\nx')
        const status = await client.answer().then(
          (answer) => answer.status,
          () => 'broken',
        )
        const at = `${bytes} bytes, ${isReset ? 'reset' : 'closed'}: ${status}`
        if (bytes < headLength) assert.is(status, 502, at)
        else assert.is(status, 'broken', at)
        assert.is(one.requests.length, 1, at)
        client.destroy()
      }
    }
  }
})

test('a GET on a reused connection that its server has closed is sent again; a POST is not', async () => {
  const closeNext = (): void => {
    one.answer = (request, socket) => {
      one.answer = ok
      if (request.target !== '/again/first') return void socket.destroy()
      ok(request, socket)
      one.answer = (_request, reused) => {
        one.answer = ok
        reused.destroy()
      }
    }
  }
  closeNext()
  await exchange(balancer.port, get('/again/first'))
  assert.is((await exchange(balancer.port, get('/again/again'))).status, 200)
  assert.equal(
    one.requests.map(({ target }) => target),
    ['/again/first', '/again/again', '/again/again'],
  )
  one.clear()
  closeNext()
  await exchange(balancer.port, get('/again/first'))
  const posted = await exchange(balancer.port, 'POST /again/once HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx')
  assert.is(posted.status, 502)
  assert.match(posted.body.toString(), /closed-early/)
  assert.equal(
    one.requests.map(({ target }) => target),
    ['/again/first', '/again/once'],
  )
})

test('a connection that its server has ended while it was idle is not used again', async () => {
  one.answer = (_request, socket) => void socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  for (let count = 0; count < 5; count++) {
    const before = one.open.size
    const { status } = await exchange(
      balancer.port,
      'POST /again/ended HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx',
    )
    assert.is(status, 200)
    await until(() => one.open.size <= before, 5_000, 'the end of the connection')
  }
})

test('without any server clients get 502 or 504 with a reason', async () => {
  one.answer = () => {}
  const late = await exchange(balancer.port, get('/late/'))
  assert.equal([late.status, late.body.toString()], [504, '504 Gateway Timeout (response-timeout)\n'])
  await balancer.untilLine(({ msg }) => msg.includes('GET /late/ failed: response-timeout at http://127.0.0.1:'), 'the reason in the log')
  const refused = await exchange(balancer.port, get('/none/'))
  assert.equal([refused.status, refused.body.toString()], [502, '502 Bad Gateway (connect-failed)\n'])
})

test('a server that is gone costs no request: others get them, and it is ejected', async () => {
  for (let count = 0; count < 20; count++) assert.is((await exchange(balancer.port, get('/partly/'))).status, 200)
  await balancer.untilLine(({ msg }) => msg.includes(`${gone} is ejected`), 'the ejection')
  const back = await RecordingServer.start(gone)
  const served = async () => (await exchange(balancer.port, get('/partly/'))).status === 200 && back.requests.length > 0
  await until(served, 10_000, 'requests at the server that is back')
  await back.stop()
})

test('a client that stops in its body, or does not read, is not waited for', async () => {
  const stopped = await exchange(balancer.port, 'POST /late/stopped HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhe')
  assert.equal([stopped.status, stopped.body.toString()], [408, '408 Request Timeout (client-timeout)\n'])
  const before = one.open.size
  const large = 24 * 1024 * 1024
  one.answer = (_request, socket) => void socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${large}\r\n\r\n${'a'.repeat(large)}`)
  const deaf = new RawClient(balancer.port).write(get('/late/deaf'))
  deaf.socket.pause()
  await until(() => one.requests.some(({ target }) => target === '/late/deaf'), 5_000, 'the request')
  await until(() => one.open.size <= before, 10_000, 'the end of the connection')
  deaf.destroy()
})

test('connections to a server are bounded: further requests wait, then get 503', async () => {
  const held: (() => void)[] = []
  one.answer = (request, socket) => void held.push(() => ok(request, socket))
  const clients = Array.from({ length: 4 }, () => new RawClient(balancer.port).write(get('/full/')))
  await until(() => held.length === 2, 5_000, 'two requests at the server')
  const statuses = clients.map(async (client) => (await client.answer()).status)
  held.shift()?.()
  await until(() => held.length === 2, 5_000, 'the third request')
  const [refused] = await Promise.all([Promise.any(statuses.map(async (status) => ((await status) === 503 ? 503 : Promise.reject())))])
  assert.is(refused, 503)
  for (const answer of held.splice(0)) answer()
  assert.equal((await Promise.all(statuses)).sort(), [200, 200, 200, 503])
  for (const client of clients) client.destroy()
})

test('a server that fails its probes gets no requests', async () => {
  sick.answer = (request, socket) =>
    request.target === '/health' ? void socket.end('HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n') : ok(request, socket)
  await balancer.untilLine(({ msg }) => msg.includes(`${sick.port} gets no requests: 2 probes failed`), 'the failed probes')
  sick.clear()
  for (let count = 0; count < 6; count++) await exchange(balancer.port, get('/probed/served'))
  assert.not.ok(sick.requests.some(({ target }) => target === '/probed/served'))
  sick.answer = ok
  await balancer.untilLine(({ msg }) => msg.includes(`${sick.port} answers its probes again`), 'good probes')
})

test('balancer errors names the servers that failed, why, how often and when', async () => {
  const kind = /none\/0 +http:\/\/127\.0\.0\.1:\d+ +connect-failed +(\d+) +\d+ +\d{4}-\d\d-\d\dT/
  assert.is((await exchange(balancer.port, get('/none/'))).status, 502)
  const counted = (): Promise<number> =>
    until(async () => Number(kind.exec((await runCommand(balancer, ['errors'])).out)?.[1]), 5_000, 'it')
  const before = await counted()
  assert.is((await exchange(balancer.port, get('/none/'))).status, 502)
  // Failures of the tests above may be reported meanwhile.
  await until(async () => (await counted()) > before, 5_000, 'one failure more')
  const { out } = await runCommand(balancer, ['errors', '--json'])
  const rows = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  const row = rows.find(({ pool }) => pool === 'none')
  assert.equal([row?.slot, row?.server, row?.reason], [0, urlOf(gone), 'connect-failed'])
  assert.ok(Number(row?.failed) > before, `${row?.failed}`)
})

test.run()
