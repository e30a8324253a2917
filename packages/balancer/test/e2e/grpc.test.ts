// A server of @grpc/grpc-js, unmodified: each call finds its worker, and whatever gRPC does passes between workers unchanged.

import { Metadata, type ServiceError, status } from '@grpc/grpc-js'
import { assert, suite } from '../../../../test/suite.ts'
import { freePort } from '../../../../test/support/ports.ts'
import { until, untilEvent } from '../../../../test/support/until.ts'
import { type Answer, GrpcClient } from './support/grpc-client.ts'
import { sumOf } from './support/metric-page.ts'
import { type RunningBalancer, startBalancer } from './support/running-balancer.ts'

const test = suite('gRPC', { timeoutMs: 60_000 })
let balancer: RunningBalancer
let client: GrpcClient
let port: number

test.before(async () => {
  port = await freePort()
  balancer = await startBalancer({
    config: {
      app: 'grpc-app.mjs',
      pools: { web: { workers: 4 }, api: { workers: 1 } },
      routes: [
        { path: '/test.Api/*', pool: 'api' },
        { path: '/test.Sticky/*', pool: 'web', policy: { sticky: { by: { header: 'x-visitor' }, breakAt: 1000 } } },
        { path: '/test.Kept/*', pool: 'web', spread: false },
        { path: '/*', pool: 'web' },
      ],
      listen: { host: '127.0.0.1', port, http2: { spread: true } },
      forwardTimeoutMs: 60_000,
    },
    env: { GRPC_PORT: String(port) },
  })
  client = new GrpcClient(port)
  await balancer.untilAllReady()
})

const SERVICES = [
  ['test.Web', /^web/],
  ['test.Api', /^api/],
] as const

async function failureOf(call: Promise<unknown>): Promise<ServiceError> {
  try {
    await call
  } catch (error) {
    return error as ServiceError
  }
  throw new Error('the call succeeded')
}

test('unary calls, with metadata both ways and the address of the client', async () => {
  for (const [service, worker] of SERVICES) {
    const metadata = new Metadata()
    for (const value of ['a', 'b']) metadata.add('x-text', value)
    for (const value of ['\0\x01', 'caf\xe9']) metadata.add('x-bytes-bin', Buffer.from(value, 'latin1'))
    const { answer, head, trailers } = await client.call(`${service}/echo`, { text: 'é' }, metadata)
    assert.match(answer.worker, worker)
    assert.equal(answer.message, { text: 'é' })
    assert.equal(answer.metadata, { text: ['a, b'], bytes: ['0001', '636166e9'] })
    assert.match(String(answer.peer), /^127\.0\.0\.1:\d+$/)
    assert.equal([head?.get('x-head'), trailers?.get('x-trailer')], [['at the begin'], ['at the end']])
  }
})

test('streams of the client, of the server, and both at once', async () => {
  for (const [service, worker] of SERVICES) {
    const listed = await client.list(`${service}/list`, { count: 300 })
    assert.equal([listed.length, listed[299]?.number], [300, 299])
    const { sum, worker: summed } = await client.sum(`${service}/sum`, [1, 2, 3, 4])
    assert.is(sum, 10)
    assert.match(summed, worker)
    const call = client.chat(`${service}/chat`)
    const heard: Answer[] = []
    call.on('data', (one: Answer) => heard.push(one))
    for (let number = 0; number < 20; number++) {
      call.write({ number })
      await until(() => heard.length === number + 1)
    }
    call.end()
    await untilEvent(call, 'end')
    assert.ok(heard.every(({ message, worker: by }, number) => (message as { number: number }).number === number && worker.test(by)))
  }
})

test('errors, with details and metadata', async () => {
  for (const [service] of SERVICES) {
    const { code, details, metadata } = await failureOf(client.unary(`${service}/fail`))
    assert.equal([code, details, metadata.get('x-why')], [status.FAILED_PRECONDITION, 'not now', ['a test']])
    assert.is((await failureOf(client.unary(`${service}/unknown`))).code, status.UNIMPLEMENTED)
  }
})

test('deadlines and cancellation reach the worker', async () => {
  for (const service of ['test.Sticky', 'test.Api']) {
    const before = await client.unary(`${service}/held`)
    const late = client.unary(`${service}/hold`, {}, new Metadata(), { deadline: Date.now() + 300 })
    assert.is((await failureOf(late)).code, status.DEADLINE_EXCEEDED)
    const { cancel, failed } = client.cancellable(`${service}/hold`)
    await until(async () => (await client.unary(`${service}/held`)).held === 1)
    cancel()
    assert.is((await failed).code, status.CANCELLED)
    await until(async () => {
      const { held, cancelled } = await client.unary(`${service}/held`)
      return held === 0 && Number(cancelled) === Number(before.cancelled) + 2
    })
  }
})

test('a client that cancels 200 calls at once keeps its connection, and its other calls go on', async () => {
  const one = new GrpcClient(port)
  const { peer } = await one.unary('test.Sticky/echo')
  const heldNow = async (): Promise<number> => Number((await one.unary('test.Sticky/held')).held)
  const before = await heldNow()
  const calls = Array.from({ length: 200 }, () => one.cancellable('test.Sticky/hold'))
  await until(async () => (await heldNow()) === before + calls.length)
  for (const { cancel } of calls) cancel()
  for (const { failed } of calls) assert.is((await failed).code, status.CANCELLED)
  assert.is((await one.unary('test.Sticky/echo')).peer, peer)
  await until(async () => (await heldNow()) === before)
})

test('forty calls that block, over one connection, are served by all four workers', async () => {
  const one = new GrpcClient(port)
  const answers = await Promise.all(Array.from({ length: 40 }, () => one.unary('test.Web/block', { ms: 20 })))
  const counts = new Map<string, number>()
  for (const { worker } of answers) counts.set(worker, (counts.get(worker) ?? 0) + 1)
  assert.is(counts.size, 4)
  assert.ok(Math.max(...counts.values()) <= 14, JSON.stringify([...counts]))
  assert.ok(sumOf(await balancer.metrics(), 'switchyard_requests_forwarded_total', /reason="spread"/) > 0)
  one.close()
})

test('a route that is not spread keeps the calls of a connection in its worker', async () => {
  const one = new GrpcClient(port)
  const [home] = await Promise.all([one.unary('test.Kept/held'), one.unary('test.Kept/block', { ms: 20 })])
  const answers = await Promise.all(Array.from({ length: 20 }, () => one.unary('test.Kept/block', { ms: 5 })))
  assert.equal([...new Set(answers.map(({ pid }) => pid))], [home.pid])
  one.close()
})

test('each call finds its visitor’s worker', async () => {
  const homes = new Map<string, string>()
  const clients = [client, new GrpcClient(port)]
  const ask = async (index: number): Promise<void> => {
    const visitor = `visitor-${index % 8}`
    const metadata = new Metadata()
    metadata.set('x-visitor', visitor)
    const { worker, message } = await (clients[index % 2] as GrpcClient).unary('test.Sticky/echo', { index }, metadata)
    assert.equal(message, { index })
    assert.is(worker, homes.get(visitor) ?? worker)
    homes.set(visitor, worker)
  }
  for (let round = 0; round < 5; round++) await Promise.all(Array.from({ length: 32 }, (_, index) => ask(index)))
  assert.ok(new Set(homes.values()).size > 1)
  clients[1]?.close()
})

test('the worker of a call is killed: the call fails as unavailable, and the next one is served', async () => {
  const { pid } = await client.unary('test.Api/held')
  const dying = failureOf(client.unary('test.Api/hold'))
  await until(async () => (await client.unary('test.Api/held')).held === 1)
  process.kill(Number(pid), 'SIGKILL')
  assert.is((await dying).code, status.UNAVAILABLE)
  const next = await until(() => client.unary('test.Api/held').catch(() => undefined), 20_000, 'its successor')
  assert.not.equal(next.pid, pid)
})

test('a reload loses no call, and finishes those under way', async () => {
  const old = await client.unary('test.Api/held')
  const chat = client.chat('test.Api/chat')
  const heard: Answer[] = []
  chat.on('data', (one: Answer) => heard.push(one))
  chat.write({ number: 0 })
  await until(() => heard.length === 1)
  let isOver = false
  const faults: string[] = []
  const busy = ['test.Web/echo', 'test.Api/echo', 'test.Sticky/echo'].map(async (method) => {
    while (!isOver) await client.unary(method, {}).catch((error: ServiceError) => faults.push(`${method}: ${error.message}`))
  })
  process.kill(balancer.pid, 'SIGHUP')
  await until(async () => (await client.unary('test.Api/held')).pid !== old.pid, 30_000, 'the new worker')
  chat.write({ number: 1 })
  chat.end()
  await untilEvent(chat, 'end')
  assert.equal(
    heard.map(({ pid }) => pid),
    [old.pid, old.pid],
  )
  await balancer.untilLine(({ msg }) => /^reload: \d+ workers/.test(msg), 'the end of the reload', 30_000)
  isOver = true
  await Promise.all(busy)
  assert.equal(faults, [])
})

test('in the end nothing counts as in flight', async () => {
  const isIdle = ({ pools }: Awaited<ReturnType<RunningBalancer['status']>>) =>
    pools.every(({ workers }) => workers.every(({ load }) => load.inFlight === 0))
  await balancer.untilStatus(isIdle, 'no calls in flight')
})

test.run()
