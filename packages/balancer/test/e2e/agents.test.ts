// Monitoring agents in the workers see each request once, wherever it is served.

import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { assert, suite } from '../../../../test/suite.ts'
import { patience } from '../../../../test/support/patience.ts'
import { until } from '../../../../test/support/until.ts'
import { get, RawClient } from './support/raw-client.ts'
import { RequestHold } from './support/request-hold.ts'
import { fixture, type RunningBalancer, startBalancer, temporaryFolder } from './support/running-balancer.ts'

const test = suite('agents', { timeoutMs: 60_000 })

interface Span {
  readonly kind: 'SERVER' | 'CLIENT' | 'INTERNAL'
  readonly name: string
  readonly traceId: string
  readonly parent: string
  readonly pid: number
  /** Those of OpenTelemetry have these too. Times in ms since 1970. */
  readonly spanId?: string
  readonly startMs?: number
  readonly endMs?: number
  readonly attributes?: Readonly<Record<string, unknown>>
}

/** A request as sent, and how it reaches its worker. */
interface Sent {
  readonly way: 'handed off' | 'moved' | 'forwarded'
  readonly pool: 'light' | 'heavy'
  readonly traceId: string
  readonly parent: string
  readonly text: string
}

const CHANNELS = process.env.SWITCHYARD_CHANNEL === 'portable' ? ['portable'] : ['native', 'portable']
const ROUNDS = 3

const agent = (name: string): string => pathToFileURL(fixture(`agents/${name}.mjs`)).href

function request(way: Sent['way'], pool: Sent['pool']): Sent {
  const [traceId, parent] = [randomBytes(16).toString('hex'), randomBytes(8).toString('hex')]
  const fields = { Connection: 'keep-alive', Traceparent: `00-${traceId}-${parent}-01` }
  return { way, pool, traceId, parent, text: get(`/${pool}/x?expect=${pool}`, fields) }
}

/** Sends requests of each way, over one connection for each round. */
async function sendAll(port: number): Promise<Sent[]> {
  const sent: Sent[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const single = [request('handed off', 'light'), request('moved', 'heavy'), request('moved', 'light')]
    const pipelined = [request('handed off', 'light'), request('forwarded', 'heavy'), request('forwarded', 'heavy')]
    const client = new RawClient(port)
    for (const { text } of single) assert.is((await client.write(text).answer()).status, 200)
    client.destroy()
    const other = new RawClient(port)
    other.write(pipelined.map(({ text }) => text).join(''))
    for (const _ of pipelined) assert.is((await other.answer()).status, 200)
    other.destroy()
    sent.push(...single, ...pipelined)
  }
  return sent
}

function spansIn(file: string): Span[] {
  const lines = readFileSync(file, { encoding: 'utf8', flag: 'a+' }).split('\n').slice(0, -1)
  return lines.map((line) => JSON.parse(line) as Span)
}

async function startObserved(
  channel: string,
  file: string,
  execArgv: string[],
  env: Record<string, string> = {},
): Promise<RunningBalancer> {
  const pool = { workers: 1, rest: 'never' as const, execArgv }
  const balancer = await startBalancer({
    config: { app: 'expect-app.mjs', pools: { light: pool, heavy: pool }, routes: [{ path: '/heavy/*', pool: 'heavy' }] },
    env: { SWITCHYARD_CHANNEL: channel, SPANS_FILE: file, ...env },
  })
  await balancer.untilAllReady()
  return balancer
}

/** Is it one of the worker runtime's own spans, for the way of a request? */
const isOfWay = ({ name }: Span): boolean => name.startsWith('switchyard.')

/** Each request has one server span, the child of the client's span; apart from those for its way there are no others in the workers. */
async function assertOneSpanEach(balancer: RunningBalancer, file: string, sent: readonly Sent[]): Promise<void> {
  const ofWorkers = () => spansIn(file).filter((span) => span.pid !== balancer.pid && !isOfWay(span))
  await until(() => ofWorkers().length >= sent.length, 10_000, 'a span for each request')
  assert.is(await balancer.stop(), 0)
  const spans = ofWorkers()
  for (const { way, traceId, parent } of sent) {
    const own = spans.filter((span) => span.traceId === traceId)
    assert.equal(
      own.map((span) => [span.kind, span.parent]),
      [['SERVER', parent]],
      way,
    )
  }
  assert.is(spans.length, sent.length, JSON.stringify(spans.filter((span) => sent.every(({ traceId }) => traceId !== span.traceId))))
  const killed = balancer.lines.filter(({ msg }) => /killed|was ended by/.test(msg))
  assert.equal(killed, [], 'the workers exit by themselves')
}

/** The span for a request's way, by name and whether its connection moved; undefined: it has none. Over the portable channel no connection moves. */
function wayOf({ way, pool }: Sent, channel: string): [name: string, isMoved?: boolean] | undefined {
  if (way === 'forwarded') return ['switchyard.forward']
  if (way === 'handed off' || channel === 'native') return ['switchyard.hand_off', way === 'moved']
  return pool === 'heavy' ? ['switchyard.forward'] : undefined
}

/** The spans for the way of each request are children of its server span, and end about when that begins. */
function assertWays(spans: readonly Span[], sent: readonly Sent[], channel: string): void {
  for (const one of sent) {
    const of = spans.filter(({ traceId }) => traceId === one.traceId)
    const server = of.find(({ kind }) => kind === 'SERVER')
    const own = of.filter((span) => isOfWay(span) && span.name !== 'switchyard.queue')
    const [name, isMoved] = wayOf(one, channel) ?? []
    const shown = JSON.stringify({ one, own })
    assert.equal(
      own.map((span) => [span.name, span.kind, span.parent, span.attributes]),
      name === undefined ? [] : [[name, 'INTERNAL', server?.spanId, attributesOf(one, isMoved)]],
      shown,
    )
    for (const { startMs = 0, endMs = 0 } of own) {
      assert.ok(endMs - startMs >= 0 && endMs - startMs < patience(10_000), shown)
      // The clocks of OpenTelemetry have steps of 1 ms.
      assert.ok(Math.abs(endMs - (server?.startMs ?? 0)) < patience(1_000), shown)
    }
  }
}

function attributesOf({ pool }: Sent, isMoved: boolean | undefined): Record<string, unknown> {
  return { 'switchyard.pool': pool, 'switchyard.slot': 0, ...(isMoved !== undefined && { 'switchyard.moved': isMoved }) }
}

for (const name of ['opentelemetry', 'wrapping'])
  for (const channel of name === 'wrapping' ? CHANNELS.slice(0, 1) : CHANNELS)
    test(`${name}, ${channel} channel: one server span for each request, handed off, moved or forwarded, and none for a forward`, async () => {
      const file = join(temporaryFolder(), 'spans')
      const balancer = await startObserved(channel, file, ['--import', agent(name)])
      const sent = await sendAll(balancer.port)
      const { givenBack, forwarded } = (await balancer.status()).moves
      assert.is(givenBack.length > 0, channel === 'native')
      assert.ok(forwarded.length > 0)
      await assertOneSpanEach(balancer, file, sent)
      if (name === 'opentelemetry') assertWays(spansIn(file), sent, channel)
    })

for (const channel of CHANNELS)
  test(`${channel} channel: a request that waits for a busy worker has spans that show how long`, async () => {
    const file = join(temporaryFolder(), 'spans')
    const balancer = await startBalancer({
      config: { app: 'expect-app.mjs', pools: { web: { workers: 1, execArgv: ['--import', agent('opentelemetry')] } } },
      env: { SWITCHYARD_CHANNEL: channel, SPANS_FILE: file },
    })
    await balancer.untilAllReady()
    const hold = new RequestHold()
    const busy = new RawClient(balancer.port).write(hold.request('/block'))
    await balancer.untilStatus(({ pools }) => (pools[0]?.workers[0]?.load.busyMs ?? 0) > 0, 'a busy loop')
    const waiting = new RawClient(balancer.port).write(get('/second'))
    await balancer.untilStatus(({ connections: { waiting } }) => waiting.queue + waiting.offered === 1, 'a waiting connection')
    const sinceMs = performance.now()
    await until(() => performance.now() - sinceMs > 100, 1_000, 'some time')
    hold.release()
    for (const client of [busy, waiting]) {
      assert.is((await client.answer()).status, 200)
      client.destroy()
    }
    assert.is(await balancer.stop(), 0)
    const spans = spansIn(file)
    const server = spans.findLast(({ kind }) => kind === 'SERVER')
    const way = spans.filter((span) => isOfWay(span) && span.parent === server?.spanId)
    const ms = way.reduce((sum, { startMs = 0, endMs = 0 }) => sum + endMs - startMs, 0)
    assert.ok(ms >= 99, JSON.stringify(spans))
    assert.is(way.at(-1)?.name, 'switchyard.hand_off')
    if (way.length > 1) assert.equal([way.length, way[0]?.name, way[0]?.endMs], [2, 'switchyard.queue', way[1]?.startMs])
  })

test('an app that loads its agent when it listens already: one server span for each request', async () => {
  const file = join(temporaryFolder(), 'spans')
  const balancer = await startBalancer({
    config: { app: 'late-agent-app.mjs', pools: { web: { workers: 1 } } },
    env: { SPANS_FILE: file, AGENT: agent('opentelemetry') },
  })
  await balancer.untilAllReady()
  const client = new RawClient(balancer.port)
  const other = new RawClient(balancer.port)
  const sent: [RawClient, string][] = [
    [client, '/untraced'],
    [other, '/load'],
    [client, '/traced'],
  ]
  for (const [by, path] of sent) assert.is((await by.write(get(path, { Connection: 'keep-alive' })).answer()).status, 200)
  const last = new RawClient(balancer.port)
  assert.is((await last.write(get('/traced')).answer()).status, 200)
  for (const one of [client, other, last]) one.destroy()
  assert.is(await balancer.stop(), 0)
  const spans = spansIn(file)
  const servers = spans.filter(({ kind }) => kind === 'SERVER')
  assert.is(servers.length, 2, JSON.stringify(spans))
  // The loop may have been busy with the agent.
  const way = spans.filter((span) => isOfWay(span) && span.name !== 'switchyard.queue')
  assert.equal(
    way.map(({ name, parent }) => [name, parent]),
    [['switchyard.hand_off', servers[1]?.spanId]],
  )
})

test('an agent in NODE_OPTIONS loads before the worker runtime, and in the primary too, which gets no span of a user request', async () => {
  const file = join(temporaryFolder(), 'spans')
  const balancer = await startObserved(CHANNELS[0] as string, file, [], { NODE_OPTIONS: `--import ${agent('opentelemetry')}` })
  assert.ok(balancer.lines.some(({ msg }) => msg.includes(`${agent('opentelemetry')} in the primary too`)))
  const sent = await sendAll(balancer.port)
  await assertOneSpanEach(balancer, file, sent)
  const ofPrimary = spansIn(file).filter(({ pid }) => pid === balancer.pid)
  assert.equal(
    ofPrimary.filter(({ traceId }) => sent.some((one) => one.traceId === traceId)),
    [],
  )
})

test.run()
