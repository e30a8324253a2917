// Every request reaches its worker: kept-alive connections move between workers, and requests are forwarded where a connection can't move.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { assert, suite } from '../../../../test/suite.ts'
import { openBrowser } from '../../../../test/support/browser.ts'
import { startHaproxy, startNginx } from '../../../../test/support/fronts.ts'
import { until } from '../../../../test/support/until.ts'
import { certificate } from './support/certificate.ts'
import { exchange, get, json, RawClient, thinkTime } from './support/raw-client.ts'
import { RequestHold } from './support/request-hold.ts'
import { fixture, movesConnections, type RunningBalancer, startBalancer, temporaryFolder } from './support/running-balancer.ts'
import { askInPage, homesOf, movesOf, movesSince, sendTraffic, startSteered, sumOf, targets } from './support/steering-load.ts'

const test = suite('steering', { timeoutMs: 60_000 })
const KEEP = { Connection: 'keep-alive' }

let balancer: RunningBalancer
let urls: string[] = []

test.before(async () => {
  balancer = await startSteered()
  urls = targets(await homesOf(balancer.port))
})

test.after(async () => assert.is(await balancer.stop(), 0))

test('one connection alternates between two pools and eight sessions: every request reaches its worker, and the connection moves', async () => {
  const before = await balancer.status()
  const client = new RawClient(balancer.port)
  for (let round = 0; round < 100; round++) {
    const url = urls[round % urls.length] as string
    const answer = await client.write(get(url, KEEP)).answer()
    assert.is(answer.status, 200, `${url} from ${answer.headers.get('x-worker')}`)
  }
  client.destroy()
  const { connections, ...after } = await balancer.status()
  assert.is(connections.accepted, before.connections.accepted + 1)
  const moves = movesSince(before, after)
  const { moved, forwarded } = movesOf(moves)
  assert.ok(moved >= 40, JSON.stringify(moves))
  assert.is(forwarded, 0)
  const reasons = [...moves.givenBack, ...moves.forwarded].map(({ route, reason }) => `${route} ${reason}`)
  const expected = movesConnections ? ['/heavy/* pool', '/session/* pool', '/session/* sticky'] : ['/heavy/* channel', '/session/* channel']
  assert.equal([...new Set(reasons)].sort(), expected)
})

test('a request moves with its body and with the requests pipelined behind it', async () => {
  const client = new RawClient(balancer.port)
  await client.write(get('/light?expect=light', KEEP)).answer()
  const body = 'b'.repeat(2_000)
  client.write(
    `POST /heavy/x?expect=heavy HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}${get('/heavy/y?expect=heavy', KEEP)}`,
  )
  for (const _ of [1, 2]) assert.is((await client.answer()).status, 200)
  client.destroy()
})

test('a large upload moves while its body is still being received', async () => {
  const { faults, requests } = await sendTraffic(balancer.port, urls, 20, 1, 3)
  assert.equal(faults, [])
  assert.ok(requests >= 20)
  const client = new RawClient(balancer.port)
  await client.write(get('/light?expect=light', KEEP)).answer()
  const size = 3_000_000
  client.write(`POST /heavy/up?expect=heavy HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`)
  client.write(Buffer.alloc(size, 'x'))
  assert.is((await client.answer()).status, 200)
  client.destroy()
})

test('pipelined requests of both pools are answered in order, and the later ones are forwarded', async () => {
  const before = sumOf((await balancer.status()).moves.forwarded)
  const client = new RawClient(balancer.port)
  const sent = ['/light?expect=light', '/heavy/a?expect=heavy', '/light?expect=light', '/heavy/who', '/heavy/b?expect=heavy']
  client.write(sent.map((url) => get(url, KEEP)).join(''))
  const workers: (string | undefined)[] = []
  for (const _ of sent) {
    const { status, headers } = await client.answer()
    assert.is(status, 200)
    workers.push(headers.get('x-worker')?.[0]?.split('/')[0])
  }
  assert.equal(workers, ['light', 'heavy', 'light', 'heavy', 'heavy'])
  assert.is(sumOf((await balancer.status()).moves.forwarded), before + 3)
  client.destroy()
})

test('a head that comes in pieces is forwarded, and its worker sees the real client', async () => {
  const client = new RawClient(balancer.port)
  await client.write(get('/light?expect=light', KEEP)).answer()
  client.write('GET /who?expect=heavy HTTP/1.1\r\nHo')
  const whole = 'GET /heavy/../who HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n'
  await thinkTime(30)
  client.write('st: a\r\n\r\n')
  assert.is((await client.answer()).status, 500, 'answered by the light pool')
  client.write(whole.slice(0, 20))
  await thinkTime(30)
  client.write(whole.slice(20))
  const { headers } = await client.answer()
  assert.is(headers.get('x-worker')?.[0], 'heavy/0')
  client.destroy()
})

test('Expect: 100-continue is answered once, by the worker that has the request', async () => {
  const client = new RawClient(balancer.port)
  await client.write(get('/light?expect=light', KEEP)).answer()
  client.write('POST /heavy/up?expect=heavy HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n')
  assert.is((await client.answer()).status, 100)
  client.write('abc')
  const { status, headers } = await client.answer()
  assert.is(status, 200)
  assert.is(headers.get('x-worker')?.[0], 'heavy/0')
  assert.is(client.unread, 0)
  client.destroy()
})

test('a later request with Upgrade moves too', async () => {
  const client = new RawClient(balancer.port)
  await client.write(get('/light?expect=light', KEEP)).answer()
  client.write('GET /heavy/ws?expect=heavy HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nearly')
  assert.is((await client.answer()).status, 101)
  assert.is((await client.bytes(5)).toString(), 'early')
  assert.is((await client.write('later').bytes(5)).toString(), 'later')
  client.destroy()
})

test('a worker does not count a connection that has moved away, and counts one whose requests it forwards', async () => {
  const clients = Array.from({ length: 20 }, () => new RawClient(balancer.port))
  for (const client of clients) {
    await client.write(get('/light?expect=light', KEEP)).answer()
    assert.is((await client.write(get('/heavy/a?expect=heavy', KEEP)).answer()).status, 200)
  }
  const count = async (path: string) => Number((await exchange(balancer.port, get(path))).body)
  if (movesConnections) {
    await until(async () => (await count('/connections')) <= 1, 5_000, 'only the connection of the request')
    await until(async () => ((await balancer.status()).pools[1]?.workers[0]?.load.connections ?? 0) >= 20, 5_000, 'twenty')
  } else {
    const open = async () => (await balancer.status()).pools[0]?.workers.reduce((sum, { load }) => sum + load.connections, 0) ?? 0
    await until(async () => (await open()) >= 20, 5_000, 'twenty')
  }
  for (const client of clients) client.destroy()
})

test('mixed traffic, GET and POST, pipelined or not: every answer is right', async () => {
  const before = await balancer.status()
  const { descriptors } = balancer
  const { faults, requests } = await sendTraffic(balancer.port, urls, 1_600, 16, 1)
  assert.equal(faults, [])
  assert.ok(requests >= 1_600)
  await balancer.untilDescriptors(descriptors)
  assert.ok(movesOf(movesSince(before, await balancer.status())).moved > 400)
})

test('parallel requests of a page in Chromium reach their workers', async () => {
  const browser = await openBrowser()
  const before = await balancer.status()
  try {
    const { faults } = await askInPage(browser, `http://127.0.0.1:${balancer.port}`, urls, 300)
    assert.equal(faults, [])
  } finally {
    await browser.close()
  }
  assert.ok(movesOf(movesSince(before, await balancer.status())).moved > 20)
})

for (const [name, start] of [
  ['nginx', startNginx],
  ['HAProxy', startHaproxy],
] as const) {
  test(`behind ${name}, whose kept-alive connections carry requests of many clients`, async () => {
    const front = await start(balancer.port)
    const before = await balancer.status()
    const homes = targets(await homesOf(front.port))
    const { faults, requests } = await sendTraffic(front.port, homes, 800, 16, 2)
    assert.equal(faults, [])
    assert.ok(requests >= 800)
    const { connections, ...after } = await balancer.status()
    const opened = connections.accepted - before.connections.accepted
    assert.ok(opened < 200, `${opened} connections`)
    const moves = movesSince(before, after)
    assert.ok(movesOf(moves).moved > 200, JSON.stringify(moves))
    await front.stop()
  })
}

test('when the app terminates TLS, requests of another pool are forwarded', async () => {
  const steered = await startSteered({ app: 'https-expect-app.mjs', light: 1, env: certificate() })
  const { connect } = await import('node:tls')
  const port = steered.port
  const seen: string[] = []
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false })
  let said = ''
  socket.setEncoding('latin1').on('data', (text: string) => {
    said += text
  })
  for (const [index, url] of ['/light', '/heavy/a', '/light', '/heavy/b'].entries()) {
    socket.write(get(url, KEEP))
    await until(() => said.split('done').length === index + 2, 5_000, `answer ${index}: ${said}`)
    seen.push(/(\w+)\/\d (\w+) 127.0.0.1 done$/.exec(said)?.slice(1).join(' ') as string)
  }
  assert.equal(seen, ['light true', 'heavy true', 'light true', 'heavy true'])
  assert.equal((await steered.status()).moves.forwarded, [{ route: '/heavy/*', reason: 'tls', count: 2 }])
  socket.destroy()
  assert.is(await steered.stop(), 0)
})

test("a user's own policy is used for later requests in the workers", async () => {
  const folder = temporaryFolder()
  const file = join(folder, 'balancer.config.mjs')
  writeFileSync(
    file,
    `export default {
  app: ${JSON.stringify(fixture('expect-app.mjs'))}, listen: '127.0.0.1:0', pools: { web: { workers: 3 } },
  routes: [{ path: '/*', policy: {
    name: 'by-number',
    pick: (candidates, head) => candidates.find(({ slot }) => slot === Number(head.header('x-number')) % 3),
    stays: (worker, head) => worker.slot === Number(head.header('x-number')) % 3,
  } }],
}`,
  )
  const own = await startBalancer({ configFile: file })
  await own.untilAllReady()
  const client = new RawClient(own.port)
  for (let number = 0; number < 30; number++) {
    const { status, headers } = await client.write(get(`/?expect=web/${number % 3}`, { ...KEEP, 'X-Number': `${number}` })).answer()
    assert.is(status, 200, `${number}: ${headers.get('x-worker')}`)
  }
  client.destroy()
  assert.is(await own.stop(), 0)
})

test('one warning names the address of a proxy that is not trusted', async () => {
  const visit = async (trustedProxies: string[]) => {
    const config = {
      app: 'expect-app.mjs',
      // On a busy machine connections rest after each response, and workers have no later request to look at.
      pools: { web: { workers: 1, rest: 'never' as const }, other: { workers: 1 } },
      routes: [{ path: '/o/*', pool: 'other' }],
    }
    const behind = await startBalancer({ config: { ...config, trustedProxies } })
    await behind.untilAllReady()
    const client = new RawClient(behind.port)
    for (let visitor = 0; visitor < 400; visitor++) {
      await client.write(get('/', { ...KEEP, 'X-Forwarded-For': `10.0.0.${visitor % 100}` })).answer()
    }
    client.destroy()
    const warnings = () => behind.lines.filter(({ msg }) => /forwards for many clients/.test(msg))
    if (trustedProxies.length === 0) await until(() => warnings().length > 0, 5_000, 'the warning')
    assert.is(await behind.stop(), 0)
    assert.equal(
      warnings().map(({ level, msg }) => [level, /127\.0\.0\.1/.test(msg)]),
      trustedProxies.length === 0 ? [[40, true]] : [],
    )
  }
  await Promise.all([visit([]), visit(['127.0.0.1'])])
})

test('when the worker of a session is killed, another serves it until the replacement is ready', async () => {
  const homes = await homesOf(balancer.port)
  const [session, home] = [...homes][0] as [string, string]
  const slot = Number(home.split('/')[1])
  const client = new RawClient(balancer.port)
  const other = [...homes].find(([, place]) => place !== home)?.[0] as string
  await client.write(get(`/session/a?session=${other}&expect=${homes.get(other)}`, KEEP)).answer()
  const { pools } = await balancer.status()
  process.kill(pools[0]?.workers.find((worker) => worker.slot === slot)?.pid as number, 'SIGKILL')
  await balancer.untilLine(({ msg }) => msg.startsWith(`${home} was ended by SIGKILL`), 'the exit')
  assert.is((await client.write(get(`/session/a?session=${session}&expect=light`, KEEP)).answer()).status, 200)
  await balancer.untilAllReady()
  assert.is((await client.write(get(`/session/a?session=${session}&expect=${home}`, KEEP)).answer()).status, 200)
  client.destroy()
})

test('during a stop an idle pool serves the requests that other pools forward to it', async () => {
  const stopping = await startBalancer({
    config: {
      app: 'echo-app.mjs',
      pools: { web: { workers: 1 }, api: { workers: 1 } },
      routes: [{ path: '/api/*', pool: 'api' }],
      drainTimeoutMs: 300_000,
    },
  })
  await stopping.untilAllReady()
  const hold = new RequestHold()
  const client = new RawClient(stopping.port).write(hold.request('/wait', KEEP))
  await stopping.untilLine(({ msg }) => msg === 'wait begun', 'the slow request')
  stopping.child.process.kill('SIGTERM')
  await stopping.untilLine(({ msg }) => msg.startsWith('draining'), 'the drain')
  // An idle worker that need not stay would exit within this time.
  await thinkTime(500)
  client.write(get('/api/x'))
  await thinkTime(100)
  hold.release()
  const answers = [await client.answer(), await client.answer()]
  assert.equal(
    answers.map((answer) => [answer.status, json<{ pool: string }>(answer).pool]),
    [
      [200, 'web'],
      [200, 'api'],
    ],
  )
  assert.is(await stopping.ended(), 0)
  client.destroy()
})

test.run()
