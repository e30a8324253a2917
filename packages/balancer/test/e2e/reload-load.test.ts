// Reloads without a failed request: clients of every kind send requests while one reload follows the other. The long form, with wrk and ab, is
// in soak/.

import { assert, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { runCommand } from './support/commands.ts'
import { get, RawClient } from './support/raw-client.ts'
import { reloadUnderLoad } from './support/reload-run.ts'
import { RequestHold } from './support/request-hold.ts'
import { startBalancer, warningsOf } from './support/running-balancer.ts'

const test = suite('reload under load', { timeoutMs: 120_000 })
const REQUESTS = 600
const SEED = 5
const KEPT = { Connection: 'keep-alive' }

test(`${REQUESTS} requests, socket.io, websockets and Chromium (seed ${SEED}): none fails, and the primary does not grow`, async () => {
  const { faults, counts, before, after } = await reloadUnderLoad({
    seed: SEED,
    workers: 2,
    maxSurge: 2,
    settleMs: 50,
    requests: REQUESTS,
    reloads: 1,
    warmUpReloads: 1,
    pauseMs: 30,
    visitors: { kept: 3, new: 2, '1.0': 1, idle: 3 },
    chats: 1,
    webSockets: 2,
    browser: true,
    commands: false,
  })
  assert.equal(faults, [])
  for (const kind of ['raw kept', 'raw new', 'raw 1.0', 'raw idle', 'websocket messages', 'Chromium fetches', 'Chromium pages']) {
    assert.ok((counts[kind] ?? 0) > 0, `no ${kind} in ${JSON.stringify(counts)}`)
  }
  assert.ok(after.descriptors <= before.descriptors, `${after.descriptors} descriptors, ${before.descriptors} before`)
})

test('during a reload an engine.io session is reached from both workers of its slot', async () => {
  const routes = [{ path: '/socket.io/*', policy: { sticky: { by: 'ticket' as const } } }]
  const pool = { workers: 1 }
  const balancer = await startBalancer({ config: { app: 'reload-app.mjs', pools: { web: pool }, routes, drainTimeoutMs: 10_000 } })
  await balancer.untilAllReady()
  const open = async (client: RawClient): Promise<string> => {
    const { body } = await client.write(get('/socket.io/?EIO=4&transport=polling', KEPT)).answer()
    return JSON.parse(body.toString().slice(1)).sid
  }
  // A 'pong' message, which any engine.io session may send.
  const post = (sid: string) => `POST /socket.io/?EIO=4&transport=polling&sid=${sid} HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\n\r\n3`
  const workerOn = async (client: RawClient) => (await client.write(get('/', KEPT)).answer()).headers.get('x-worker')?.[0]

  const early = new RawClient(balancer.port)
  const old = await open(early)
  assert.is(await workerOn(early), 'web/0.0')
  // A request under way keeps the connection in the old worker.
  const hold = new RequestHold()
  early.write(hold.request('/wait', KEPT))
  const reload = runCommand(balancer, ['reload'])
  const connectToNew = async () => {
    const client = new RawClient(balancer.port)
    if ((await workerOn(client)) === 'web/0.1') return client
    client.destroy()
    return undefined
  }
  const late = await until(connectToNew, 15_000, 'a connection to the new worker')
  const young = await open(late)
  early.write(post(young))
  assert.is((await late.write(post(young)).answer()).status, 200)
  assert.is((await late.write(post(old)).answer()).status, 200)
  hold.release()
  assert.equal([(await early.answer()).body.toString(), (await early.answer()).body.toString()], ['ok', 'ok'])
  for (const client of [early, late]) client.destroy()
  await balancer.stop()
  await reload
})

test('clients that use their ticket without a pause do not keep a worker alive, and no request fails when it exits', async () => {
  const balancer = await startBalancer({
    config: {
      app: 'echo-app.mjs',
      pools: { web: { workers: 1 } },
      routes: [{ path: '/*', policy: { sticky: { by: 'ticket' } } }],
      drainTimeoutMs: 3_000,
    },
  })
  let isOver = false
  const pids: number[] = []
  const visitor = async (): Promise<void> => {
    let client = new RawClient(balancer.port)
    let ticket = ''
    while (!isOver) {
      const answer = await client.write(get('/', { Connection: 'keep-alive', ...(ticket !== '' && { Cookie: ticket }) })).answer()
      assert.is(answer.status, 200)
      const { pid } = JSON.parse(answer.body.toString()) as { pid: number }
      if (pids.at(-1) !== pid) pids.push(pid)
      ticket = answer.headers.get('set-cookie')?.[0]?.split(';')[0] ?? ticket
      if (answer.headers.get('connection')?.[0] !== 'close') continue
      client.destroy()
      client = new RawClient(balancer.port)
    }
    client.destroy()
  }
  const visiting = visitor()
  const { code, err } = await runCommand(balancer, ['reload'])
  isOver = true
  await visiting
  assert.is(code, 0, err)
  assert.is(pids.length, 2, 'the old worker until its drain timeout, then the new one')
  assert.equal(
    warningsOf(balancer).map(({ msg }) => msg),
    [],
  )
  assert.is(await balancer.stop(), 0)
})

test.run()
