// Every kind of listener, and every kind of server behind it.

import { request } from 'node:https'
import { join } from 'node:path'
import { assert, suite } from '../../../../test/suite.ts'
import { untilEvent } from '../../../../test/support/until.ts'
import { certificate } from './support/certificate.ts'
import { once } from './support/once.ts'
import { exchange, get, json, RawClient, type Target } from './support/raw-client.ts'
import { fixture, portOf, startBalancer, temporaryFolder } from './support/running-balancer.ts'

const test = suite('listeners', { timeoutMs: 20_000 })
const one = { web: { workers: 1 } }

async function statusAt(target: Target): Promise<number | string> {
  return exchange(target, get('/')).then(
    ({ status }) => status,
    (error) => /ECONNREFUSED/.exec(error.message)?.[0] ?? error.message,
  )
}

test('dual-stack, IPv4-only and IPv6-only listeners serve side by side', async () => {
  const path = join(temporaryFolder(), 'app.sock')
  const balancer = await startBalancer({
    config: {
      app: 'echo-app.mjs',
      pools: one,
      listen: [{ port: 0 }, '127.0.0.1:0', '[::1]:0', { host: '::', port: 0, ipv6Only: true }, path],
    },
  })
  assert.is(balancer.addresses.length, 5)
  const [dual, four, six, sixOnly] = balancer.addresses.map(portOf)
  const at = (host: string, port: number | undefined) => statusAt({ host, port: port as number })
  assert.is(await at('127.0.0.1', dual), 200)
  assert.is(await at('::1', dual), 200)
  assert.is(await at('127.0.0.1', four), 200)
  assert.is(await at('::1', four), 'ECONNREFUSED')
  assert.is(await at('::1', six), 200)
  assert.is(await at('127.0.0.1', six), 'ECONNREFUSED')
  assert.is(await at('::1', sixOnly), 200)
  assert.is(await at('127.0.0.1', sixOnly), 'ECONNREFUSED')
  assert.is(await statusAt({ path }), 200)
  // Refusals work over every kind of listener.
  assert.is((await exchange({ path }, 'nonsense\r\n\r\n')).status, 400)
  assert.is(await balancer.stop(), 0)
  assert.match(String(await statusAt({ path })), /ENOENT/)
})

test('the stale file of a unix socket is replaced, one in use is not', async () => {
  const path = join(temporaryFolder(), 'app.sock')
  const first = await startBalancer({ config: { app: 'echo-app.mjs', pools: one, listen: path } })
  const second = await startBalancer({ config: { app: 'echo-app.mjs', pools: one, listen: path }, wait: false })
  assert.is(await second.ended(), 3)
  assert.match(second.child.output(), /in use/)
  assert.is(await statusAt({ path }), 200)
  first.child.process.kill('SIGKILL')
  await first.ended()
  const third = await startBalancer({ config: { app: 'echo-app.mjs', pools: one, listen: path } })
  assert.is(await statusAt({ path }), 200)
  assert.is(await third.stop(), 0)
})

/** A net server that sends first, behind listeners with each `peek`. */
const startGreeter = once(async () => {
  const listen = [undefined, false, true].map((peek) => ({ host: '127.0.0.1', port: 0, peek }))
  const balancer = await startBalancer({ config: { app: 'greeter-app.mjs', pools: { web: { workers: 2 } }, listen } })
  const [byDefault, without, withPeek] = balancer.addresses.map(portOf) as [number, number, number]
  return { balancer, byDefault, without, withPeek }
})

for (const [title, which] of [
  ['the default of peek', 'byDefault'],
  ['peek: false', 'without'],
] as const) {
  test(`a net server that sends first gets its connections with ${title}`, async () => {
    const port = (await startGreeter())[which]
    const clients = Array.from({ length: 20 }, () => new RawClient(port))
    for (const client of clients) assert.is((await client.bytes(10)).toString(), '220 hello\n')
    const sent = Buffer.alloc(50_000, 'echo')
    for (const client of clients) client.write(sent)
    for (const client of clients) assert.ok((await client.bytes(sent.length)).equals(sent))
    for (const client of clients) client.destroy()
  })
}

test('a net server behind a listener with peek gets connections that look like HTTP or TLS', async () => {
  const { withPeek } = await startGreeter()
  const client = new RawClient(withPeek).write(get('/'))
  assert.is((await client.bytes(10)).toString(), '220 hello\n')
  assert.is((await client.bytes(get('/').length)).toString(), get('/'))
  client.destroy()
})

test('an https app serves', async () => {
  const balancer = await startBalancer({
    config: { app: 'https-app.mjs', pools: { web: { workers: 2 } } },
    env: certificate(),
  })
  await balancer.untilAllReady()
  for (let turn = 0; turn < 6; turn++) {
    const sent = request({ host: '127.0.0.1', port: balancer.port, path: `/${turn}`, rejectUnauthorized: false, agent: false }).end()
    const [response] = (await untilEvent(sent, 'response')) as [NodeJS.ReadableStream]
    let text = ''
    for await (const bytes of response) text += bytes
    const { encrypted, url } = JSON.parse(text) as { encrypted: boolean; url: string }
    assert.equal({ encrypted, url }, { encrypted: true, url: `/${turn}` })
  }
  // The worker closes a connection that is not TLS.
  const plain = new RawClient(balancer.port).write(get('/'))
  await plain.over()
  plain.destroy()
  assert.is(await balancer.stop(), 0)
})

test('an app that asks for any port can read its address at once', async () => {
  const ask = async (listen: string | undefined) => {
    const balancer = await startBalancer({ config: { app: 'free-port-app.mjs', listen, pools: { web: { workers: 2 } } } })
    await balancer.untilAllReady()
    const port = listen === undefined ? portOf(balancer.addresses[0] ?? '') : balancer.port
    for (let turn = 0; turn < 4; turn++) {
      const said = json<{ synchronous: { port: number }; listening: boolean; event: { port: number } }>(await exchange(port, get('/')))
      assert.is(said.listening, true)
      assert.is(said.synchronous.port, port)
      assert.is(said.event.port, port)
    }
    assert.is(await balancer.stop(), 0)
  }
  await Promise.all([ask(undefined), ask('127.0.0.1:0')])
})

/** A pool for each kind of entry file. */
const startEntries = once(async () => {
  const pools = {
    commonjs: { workers: 1, app: fixture('commonjs-app.cjs') },
    typescript: { workers: 1, app: fixture('typescript-app.ts') },
  }
  const routes = [{ path: '/typescript/*', pool: 'typescript' }]
  return startBalancer({ config: { pools, routes } })
})

for (const [title, path, body] of [
  ['CommonJS', '/', 'commonjs object'],
  ['TypeScript', '/typescript/', 'typescript'],
] as const) {
  test(`a ${title} entry file is loaded`, async () => {
    const balancer = await startEntries()
    assert.is((await exchange(balancer.port, get(path))).body.toString(), body)
  })
}

test.after(async () => assert.equal([await (await startGreeter()).balancer.stop(), await (await startEntries()).stop()], [0, 0]))

test('getConnections counts handed-off connections', async () => {
  const balancer = await startBalancer({ config: { app: 'echo-app.mjs', pools: one } })
  const clients = Array.from({ length: 7 }, () => new RawClient(balancer.port).write(get('/', { Connection: 'keep-alive' })))
  for (const client of clients) await client.answer()
  const [first] = clients
  const { count } = json<{ count: number }>(await (first as RawClient).write(get('/connections', { Connection: 'keep-alive' })).answer())
  assert.is(count, 7)
  for (const client of clients) client.destroy()
  await balancer.untilStatus(({ pools }) => pools[0]?.workers[0]?.load.connections === 0, 'no connections')
  assert.is(await balancer.stop(), 0)
})

/** An app whose server has short timeouts. */
const startImpatient = once(() => {
  const options = JSON.stringify({
    headersTimeout: 1_500,
    requestTimeout: 1_500,
    connectionsCheckingInterval: 100,
    keepAliveTimeout: 2_000,
  })
  return startBalancer({ config: { app: 'echo-app.mjs', pools: one }, env: { SERVER_OPTIONS: options } })
})

test.after(async () => assert.is(await (await startImpatient()).stop(), 0))

test('an incomplete second head on a kept-alive connection gets a 408 from the worker', async () => {
  const balancer = await startImpatient()
  const client = new RawClient(balancer.port).write(get('/', { Connection: 'keep-alive' }))
  assert.is((await client.answer()).status, 200)
  client.write('GET /second HT')
  assert.is((await client.answer()).status, 408)
  await client.over()
  client.destroy()
})

test('the app’s own keepAliveTimeout and maxRequestsPerSocket apply', async () => {
  const balancer = await startImpatient()
  const client = new RawClient(balancer.port)
  for (let turn = 0; turn < 5; turn++) {
    const answer = await client.write(get(`/${turn}`, { Connection: 'keep-alive' })).answer()
    assert.equal(answer.headers.get('connection'), ['keep-alive'])
  }
  // Some versions of Node add a second to the timeout.
  await client.over()
  client.destroy()
})

test('server.close() in the app ends one worker, and the pool serves on', async () => {
  const balancer = await startBalancer({ config: { app: 'echo-app.mjs', pools: { web: { workers: 2 } }, restartDelayMs: 20 } })
  await balancer.untilAllReady()
  assert.is((await exchange(balancer.port, get('/close'))).status, 200)
  for (let turn = 0; turn < 10; turn++) assert.is((await exchange(balancer.port, get(`/after/${turn}`))).status, 200)
  assert.is(await balancer.stop(), 0)
})

test.run()
