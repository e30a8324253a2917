// Routes that are spread beside routes that are not: the streams of one connection, with HTTP/2 that ends in the worker, and what the balancer says of it.

import { assert, suite } from '../../../../test/suite.ts'
import { freePort } from '../../../../test/support/ports.ts'
import { until } from '../../../../test/support/until.ts'
import type { BalancerConfig } from '../../src/config/config.ts'
import type { Decision } from '../../src/decisions/decision.ts'
import { runCommand } from './support/commands.ts'
import { Http2Client } from './support/http2-client.ts'
import { sumOf } from './support/metric-page.ts'
import { type RunningBalancer, startBalancer } from './support/running-balancer.ts'

const test = suite('spread by route', { timeoutMs: 60_000 })
const BURST = 12
let ports: readonly number[]

/** The app blocks for both paths. The first address asks for nothing, the second for spread. */
const config = (api: boolean, others: boolean): BalancerConfig => ({
  app: 'http2-app.mjs',
  pools: { web: { workers: 2 }, far: { workers: 2 } },
  routes: [
    { header: { 'x-pool': 'far' }, name: 'far', pool: 'far', spread: true },
    { path: '/api/*', name: 'api', spread: api },
    { path: '/block', name: 'others', spread: others },
  ],
  decisions: true,
  listen: ports.map((port, index) => ({ host: '127.0.0.1', port, http2: { spread: index === 1 } })),
})

let balancer: RunningBalancer

test.before(async () => {
  ports = await Promise.all([freePort(), freePort()])
  balancer = await startBalancer({ config: config(true, false) })
  await balancer.untilAllReady()
})

/** How many of a burst of requests that block each worker served. */
async function served(client: Http2Client, path: string, fields = {}): Promise<Map<unknown, number>> {
  const answers = await Promise.all(Array.from({ length: BURST }, () => client.get(`${path}?ms=10`, fields)))
  assert.ok(answers.every(({ status, body }) => status === 200 && body === 'blocked'))
  const counts = new Map<unknown, number>()
  for (const { headers } of answers) counts.set(headers['x-worker'], (counts.get(headers['x-worker']) ?? 0) + 1)
  return counts
}

async function untilSpread(client: Http2Client, path: string): Promise<void> {
  await until(async () => {
    const counts = await served(client, path)
    return counts.size === 2 && Math.min(...counts.values()) >= BURST / 4
  }, 20_000)
}

test('on one connection the route with spread uses all workers, and the other one does not', async () => {
  for (const port of ports) {
    const client = new Http2Client(`http://127.0.0.1:${port}`)
    const home = (await client.get('/hello')).headers['x-worker']
    await untilSpread(client, '/api/block')
    for (let round = 0; round < 3; round++) assert.equal([...(await served(client, '/block'))], [[home, BURST]])
    await untilSpread(client, '/api/block')
    client.close()
  }
})

test('streams of another pool go to its worker with the fewest requests, from the first one on', async () => {
  const client = new Http2Client(`http://127.0.0.1:${balancer.port}`)
  const counts = await served(client, '/block', { 'x-pool': 'far' })
  assert.equal([...counts.keys()].sort(), ['far/0', 'far/1'])
  assert.ok(Math.min(...counts.values()) >= BURST / 4, JSON.stringify([...counts]))
  client.close()
})

test('decisions and metrics say which streams were spread, and which ones stayed', async () => {
  const { out } = await runCommand(balancer, ['decisions', '--json', '-n', '1000'])
  const lines = out.split('\n').filter((line) => line !== '')
  const spread = lines.map((line) => JSON.parse(line) as Decision).filter(({ by }) => by === 'spread')
  const routes = new Set(spread.map(({ route }) => route))
  assert.ok(routes.has('api') && routes.has('far'), [...routes].join())
  // At the second address other paths may be spread too, when they look heavy on a busy machine.
  assert.not.ok(routes.has('others'))
  assert.equal([...new Set(spread.map(({ origin }) => origin))].sort(), ['forwarded', 'stayed'])
  assert.ok(spread.every(({ worker, candidates }) => worker !== null && candidates.length === 2))
  assert.match((await runCommand(balancer, ['decisions', '-n', '1000'])).out, / forwarded +least-busy, spread +0:\d/)
  assert.is(sumOf(await balancer.metrics(), 'switchyard_choices_total', /by="spread"/), spread.length)
})

test('explain says whether streams are spread, and why', async () => {
  const [first, second] = ports
  for (const [path, listener, said] of [
    ['/api/block', first, /^spread +yes, 'spread' of the route is true: /m],
    ['/block', second, /^spread +no, 'spread' of the route is false: /m],
    ['/hello', first, /^spread +no, 'http2\.spread' of the listener is false: /m],
  ] as const)
    assert.match((await runCommand(balancer, ['explain', 'GET', path, '--listener', String(listener), '--live'])).out, said)
})

test('a reload changes it', async () => {
  balancer.configure(config(false, true))
  assert.is((await runCommand(balancer, ['reload'])).code, 0)
  const client = new Http2Client(`http://127.0.0.1:${balancer.port}`)
  const home = (await client.get('/hello')).headers['x-worker']
  await untilSpread(client, '/block')
  assert.equal([...(await served(client, '/api/block'))], [[home, BURST]])
  client.close()
})

test.run()
