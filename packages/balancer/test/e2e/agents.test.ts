// Monitoring agents in the workers see each request once, wherever it is served.

import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { assert, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { get, RawClient } from './support/raw-client.ts'
import { fixture, type RunningBalancer, startBalancer, temporaryFolder } from './support/running-balancer.ts'

const test = suite('agents', { timeoutMs: 60_000 })

interface Span {
  readonly kind: 'SERVER' | 'CLIENT' | 'INTERNAL'
  readonly name: string
  readonly traceId: string
  readonly parent: string
  readonly pid: number
}

/** A request as sent, and how it reaches its worker. */
interface Sent {
  readonly way: 'handed off' | 'moved' | 'forwarded'
  readonly traceId: string
  readonly parent: string
  readonly text: string
}

const CHANNELS = process.env.SWITCHYARD_CHANNEL === 'portable' ? ['portable'] : ['native', 'portable']
const ROUNDS = 3

const agent = (name: string): string => pathToFileURL(fixture(`agents/${name}.mjs`)).href

function request(way: Sent['way'], pool: 'light' | 'heavy'): Sent {
  const [traceId, parent] = [randomBytes(16).toString('hex'), randomBytes(8).toString('hex')]
  const fields = { Connection: 'keep-alive', Traceparent: `00-${traceId}-${parent}-01` }
  return { way, traceId, parent, text: get(`/${pool}/x?expect=${pool}`, fields) }
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

/** Each request has one server span, the child of the client's span; there are no others in the workers. */
async function assertOneSpanEach(balancer: RunningBalancer, file: string, sent: readonly Sent[]): Promise<void> {
  const ofWorkers = () => spansIn(file).filter(({ pid }) => pid !== balancer.pid)
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
