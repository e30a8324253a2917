// Behind a proxy that speaks the PROXY protocol, the app sees each client's own address, wherever the connection or its requests go.

import { writeFileSync } from 'node:fs'
import { connect as connectHttp2 } from 'node:http2'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { assert, suite } from '../../../../test/suite.ts'
import { startHaproxyTcp, startNginxStream } from '../../../../test/support/fronts.ts'
import { until, untilEvent } from '../../../../test/support/until.ts'
import { certificate } from './support/certificate.ts'
import { runCommand } from './support/commands.ts'
import { ask, askFromMany, KEEP, lineOf, proxied, remoteOf, type Said, saidIn, startBehindProxy } from './support/proxied-clients.ts'
import { exchange, get, RawClient } from './support/raw-client.ts'
import { movesConnections, type RunningBalancer, temporaryFolder } from './support/running-balancer.ts'
import { startUpgradable, stopServing, upgrade } from './support/upgradable-balancer.ts'

const test = suite('PROXY protocol', { timeoutMs: 60_000 })
const { KEY, CERT } = certificate()

let balancer: RunningBalancer

test.before(async () => {
  balancer = await startBehindProxy()
})

test.after(async () => assert.is(await balancer.stop(), 0))

test("every request of a kept-alive connection has the client's address, also when the connection moves", async () => {
  const before = await balancer.status()
  const client = proxied(balancer.port, 1)
  for (const url of ['/', '/heavy', '/heavy', '/', '/heavy']) {
    const { worker, remote, local } = await ask(client, url)
    assert.equal([worker, remote, local], [url === '/' ? 'light/0' : 'heavy/0', remoteOf(1), '198.51.100.1 443'])
  }
  client.destroy()
  const { connections } = await balancer.status()
  if (movesConnections) assert.ok(connections.givenBack >= before.connections.givenBack + 3)
})

test('requests that are forwarded alone have it too, with all values', async () => {
  // A pipelined request can't move its connection.
  const client = proxied(balancer.port, 2)
  client.write(get('/slow?ms=50', KEEP) + get('/heavy', KEEP) + get('/', KEEP))
  const all = [saidIn(await client.answer()), saidIn(await client.answer()), saidIn(await client.answer())]
  assert.equal(
    all.map(({ worker, remote }) => [worker, remote]),
    ['light/0', 'heavy/0', 'light/0'].map((worker) => [worker, remoteOf(2)]),
  )
  client.destroy()
  assert.ok((await balancer.status()).moves.forwarded.some(({ route }) => route === '/heavy'))
})

test('a client cannot name an address: not by a second header, nor later on its connection, nor by our own fields', async () => {
  const spoof = 'PROXY TCP4 6.6.6.6 6.6.6.6 6 6\r\n'
  const second = await exchange(balancer.port, lineOf(3) + spoof + get('/'))
  assert.is(second.status, 400)
  for (const url of ['/', '/heavy']) {
    const client = proxied(balancer.port, 3)
    assert.is((await ask(client, url)).remote, remoteOf(3))
    client.write(spoof + get('/', KEEP))
    assert.is((await client.answer()).status, 400)
    client.destroy()
  }
  // On a connection that has moved, and behind a request that is forwarded.
  const moved = proxied(balancer.port, 3)
  for (const url of ['/heavy', '/', '/heavy']) assert.is((await ask(moved, url)).remote, remoteOf(3))
  assert.is((await moved.write(spoof + get('/', KEEP)).answer()).status, 400)
  const packed = Buffer.from([0x21, 0x11, 0, 12, 6, 6, 6, 6, 6, 6, 6, 6, 0, 6, 0, 6]).toString('base64url')
  const fields = { ...KEEP, 'switchyard-forwarded': `token request 1.1 plain 6.6.6.6 6 6.6.6.6 6 ${packed}`, 'x-forwarded-for': '6.6.6.6' }
  const forwarded = proxied(balancer.port, 3)
  forwarded.write(get('/slow?ms=30', fields) + get('/heavy', fields))
  assert.equal([saidIn(await forwarded.answer()).remote, saidIn(await forwarded.answer()).remote], [remoteOf(3), remoteOf(3)])
  assert.is((await forwarded.write(spoof + get('/', KEEP)).answer()).status, 400)
  for (const client of [moved, forwarded]) client.destroy()
})

test("a connection of a proxy without a header is refused and counted; the proxy's own one has the proxy's address", async () => {
  const before = (await balancer.status()).connections.refused['proxy-header-missing']
  assert.is((await exchange(balancer.port, get('/'))).status, 400)
  assert.is((await balancer.status()).connections.refused['proxy-header-missing'], before + 1)
  assert.match(saidIn(await exchange(balancer.port, `PROXY UNKNOWN\r\n${get('/')}`)).remote, /^IPv4 127\.0\.0\.1 /)
  assert.match(await balancer.metrics(), /switchyard_connections_refused_total\{[^}]*reason="proxy-header-missing"[^}]*\} 1/)
})

test('connections that wait in the queue keep it', async () => {
  const queued = await startBehindProxy({
    config: { pools: { web: { workers: 1, concurrency: 1, queue: { timeoutMs: 60_000 } } }, routes: [] },
  })
  const clients = [1, 2, 3, 4].map((number) => proxied(queued.port, number))
  for (const client of clients) client.write(get('/slow?ms=100'))
  for (const [index, client] of clients.entries()) assert.is(saidIn(await client.answer()).remote, remoteOf(index + 1))
  assert.is(await queued.stop(), 0)
})

test('connections that a worker has not started keep it when they are recalled, and when the worker dies', async () => {
  const config = { pools: { web: { workers: 2, queue: { timeoutMs: 60_000 } } }, routes: [], policy: 'round-robin' }
  const killed = await startBehindProxy({ config })
  const [stopped] = (await killed.status()).pools[0]?.workers ?? []
  process.kill(stopped?.pid as number, 'SIGSTOP')
  const numbers = Array.from({ length: 12 }, (_, index) => index)
  const clients = numbers.map((number) => proxied(killed.port, number).write(get('/')))
  await killed.untilStatus(({ connections }) => connections.accepted >= 12 && connections.waiting.head === 0, 'all of them have arrived')
  process.kill(stopped?.pid as number, 'SIGKILL')
  for (const [index, client] of clients.entries()) assert.is(saidIn(await client.answer(20_000)).remote, remoteOf(index))
  for (const client of clients) client.destroy()
  assert.is(await killed.stop(), 0)
})

test("a policy by the client's address and the access log use it", async () => {
  const config = {
    pools: { web: { workers: 2 } },
    routes: [{ path: '/*', policy: { sticky: { by: 'client-address', breakAt: 1000 } } }],
    accessLog: { format: '{address} {path}' },
  }
  const sticky = await startBehindProxy({ config })
  const homes = new Map<number, Set<string>>()
  for (let number = 0; number < 40; number++) {
    const { worker } = saidIn(await exchange(sticky.port, lineOf(number % 10) + get(`/${number % 10}`)))
    homes.set(number % 10, (homes.get(number % 10) ?? new Set()).add(worker))
  }
  assert.ok([...homes.values()].every(({ size }) => size === 1))
  assert.is(new Set([...homes.values()].flatMap((workers) => [...workers])).size, 2, 'ten addresses, two workers')
  assert.is(await sticky.stop(), 0)
})

if (movesConnections) {
  test('connections that rest keep it', async () => {
    const resting = await startBehindProxy({
      config: { pools: { web: { workers: 2, rest: 'always' } }, routes: [], policy: 'round-robin' },
    })
    const client = proxied(resting.port, 5)
    const workers = new Set<string>()
    for (let turn = 0; turn < 50 && workers.size < 2; turn++) {
      const { worker, remote } = await ask(client)
      assert.is(remote, remoteOf(5))
      workers.add(worker)
      await resting.untilStatus(({ connections }) => connections.waiting.resting === 1, 'a connection at rest')
    }
    assert.is(workers.size, 2)
    client.destroy()
    assert.is(await resting.stop(), 0)
  })

  test('an upgrade passes it on: idle connections, and those whose header or head is incomplete', async () => {
    const listen = { host: '127.0.0.1', port: 0, proxyProtocol: { from: ['127.0.0.1'] } }
    const upgraded = await startUpgradable({ config: { app: 'address-app.mjs', listen, pools: { web: { workers: 1 } } } })
    const [idle, used, noHeader, halfHeader, noHead, halfHead, own] = Array.from({ length: 7 }, () => new RawClient(upgraded.port)) as [
      RawClient,
      RawClient,
      RawClient,
      RawClient,
      RawClient,
      RawClient,
      RawClient,
    ]
    assert.is((await ask(used.write(lineOf(2)))).remote, remoteOf(2))
    halfHeader.write(lineOf(4).slice(0, 20))
    noHead.write(lineOf(5))
    halfHead.write(`${lineOf(6)}GET /half HTTP/1.1\r\nHo`)
    own.write('PROXY UNKNOWN\r\nGET /own HTT')
    await upgraded.untilStatus(({ connections }) => connections.waiting.head >= 4, 'incomplete heads')
    await upgrade(upgraded)
    const answers: Said[] = [
      await ask(idle.write(lineOf(1))),
      await ask(used),
      await ask(noHeader.write(lineOf(3))),
      await ask(halfHeader.write(lineOf(4).slice(20))),
      await ask(noHead),
      saidIn(await halfHead.write('st: a\r\n\r\n').answer()),
    ]
    assert.equal(
      answers.map(({ remote }) => remote),
      [1, 2, 3, 4, 5, 6].map(remoteOf),
    )
    assert.match(saidIn(await own.write('P/1.1\r\nHost: a\r\n\r\n').answer()).remote, /^IPv4 127\.0\.0\.1 /)
    for (const client of [idle, used, noHeader, halfHeader, noHead, halfHead, own]) client.destroy()
    await stopServing(upgraded)
  })
}

test('a server of the app that ends TLS sees it, in HTTP/1, HTTP/2 and requests that are forwarded', async () => {
  const secure = await startBehindProxy({ env: { SERVER: 'http2', KEY, CERT } })
  const raw = proxied(secure.port, 7)
  const socket = connectTls({ socket: raw.socket, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] })
  let text = ''
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk
  })
  for (const [turn, url] of ['/', '/heavy', '/'].entries()) {
    socket.write(get(url, KEEP))
    await until(() => text.split(remoteOf(7)).length === turn + 2, 10_000, `answer ${turn}: ${text}`)
  }
  assert.equal(
    [...text.matchAll(/"worker":"(\w+)/g)].map(([, pool]) => pool),
    ['light', 'heavy', 'light'],
  )
  socket.destroy()
  raw.destroy()
  const second = proxied(secure.port, 8)
  const tls = connectTls({ socket: second.socket, rejectUnauthorized: false, ALPNProtocols: ['h2'] })
  const session = connectHttp2('https://localhost', { createConnection: () => tls })
  const stream = session.request({ ':path': '/' }).setEncoding('latin1')
  let body = ''
  stream.on('data', (chunk: string) => {
    body += chunk
  })
  await untilEvent(stream, 'end', 10_000)
  assert.is((JSON.parse(body) as Said).remote, remoteOf(8))
  session.destroy()
  second.destroy()
  assert.is(await secure.stop(), 0)
})

test('a server that speaks first sees it', async () => {
  const greeting = await startBehindProxy({ env: { SERVER: 'net' } })
  const client = proxied(greeting.port, 8)
  await client.over()
  assert.is(JSON.parse((await client.bytes(client.unread)).toString()).remote, remoteOf(8))
  client.destroy()
  assert.is(await greeting.stop(), 0)
})

const pem = () => {
  const file = join(temporaryFolder(), 'both.pem')
  writeFileSync(file, KEY + CERT)
  return file
}

for (const [name, start] of [
  ['HAProxy with send-proxy', (port: number) => startHaproxyTcp(port, 'send-proxy')],
  ['HAProxy with send-proxy-v2', (port: number) => startHaproxyTcp(port, 'send-proxy-v2')],
  ['HAProxy with send-proxy-v2 and a checksum', (port: number) => startHaproxyTcp(port, 'send-proxy-v2 proxy-v2-options crc32c,unique-id')],
  ['nginx with proxy_protocol on', startNginxStream],
] as const) {
  test(`behind ${name} every request has its client's address`, async () => {
    const front = await start(balancer.port)
    assert.equal(await askFromMany(front.port, 25, 8), { right: 200, wrong: [] })
    await front.stop()
  })
}

test('behind HAProxy that ends TLS, the app sees how the client is connected', async () => {
  const front = await startHaproxyTcp(balancer.port, 'send-proxy-v2-ssl-cn proxy-v2-options authority,unique-id', pem())
  const socket = connectTls({
    port: front.port,
    host: '127.0.0.1',
    servername: 'localhost',
    rejectUnauthorized: false,
    ALPNProtocols: ['http/1.1'],
  })
  let text = ''
  let port: number | undefined
  socket.once('secureConnect', () => {
    port = socket.localPort
  })
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk
  })
  socket.write(get('/slow?ms=50', KEEP) + get('/heavy'))
  await until(() => text.split('"ssl"').length === 3, 10_000, 'two answers')
  for (const body of text.match(/^\{.*\}/gm) ?? []) {
    const { remote, alpn, authority, uniqueId, ssl } = JSON.parse(body) as Said
    assert.equal([remote, alpn, authority], [`IPv4 127.0.0.1 ${port}`, 'http/1.1', 'localhost'])
    assert.match(uniqueId ?? '', /^\d+-\d+$/)
    assert.equal([ssl?.encrypted, ssl?.hasCertificate, ssl?.authorized, ssl?.version], [true, false, false, 'TLSv1.3'])
  }
  socket.destroy()
  await front.stop()
})

test('check shows it', async () => {
  const { out } = await runCommand(balancer, ['check'])
  assert.match(out, /127\.0\.0\.1:0 \(PROXY protocol from 127\.0\.0\.0\/8\)/)
})

test.run()
