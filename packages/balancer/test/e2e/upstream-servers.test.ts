// Upstream servers as candidates with a slot: they drain and come back, a reload changes their list while the proxy workers run on, and their names follow DNS.

import { join } from 'node:path'
import { assert, suite } from '../../../../test/suite.ts'
import { DnsServer } from '../../../../test/support/dns-server.ts'
import { type Answering, ok, RecordingServer } from '../../../../test/support/recording-server.ts'
import { until } from '../../../../test/support/until.ts'
import type { BalancerConfig } from '../../src/config/config.ts'
import type { BalancerStatus, UpstreamServerStatus } from '../../src/status.ts'
import { runCommand, startCommand } from './support/commands.ts'
import { exchange, get, RawClient } from './support/raw-client.ts'
import { type RunningBalancer, startBalancer, temporaryFolder } from './support/running-balancer.ts'
import { stopServing } from './support/upgradable-balancer.ts'

const test = suite('upstream servers', { timeoutMs: 60_000 })

let one: RecordingServer
let two: RecordingServer
let dns: DnsServer
let balancer: RunningBalancer
const urlOf = ({ port }: RecordingServer): string => `http://127.0.0.1:${port}`

function configOf(servers: readonly string[]): BalancerConfig {
  const named = { servers: [`http://app.test:${one.port}`], dns: { servers: [dns.address], minTtlMs: 50, maxTtlMs: 100, timeoutMs: 1_000 } }
  return {
    pools: { legacy: { workers: 2, upstream: [...servers] }, named: { workers: 1, upstream: named } },
    routes: [{ path: '/named/*', pool: 'named' }],
    drainTimeoutMs: 20_000,
    accessLog: { format: 'json' },
    logs: { folder: logs },
  }
}

const logs = temporaryFolder()

test.before(async () => {
  one = await RecordingServer.start()
  // The same port on another address: one name may stand for both.
  two = await RecordingServer.start(one.port, '127.0.0.2')
  dns = await DnsServer.start()
  dns.records.set('app.test', { addresses: ['127.0.0.1'], ttlS: 0 })
  balancer = await startBalancer({ config: configOf([urlOf(one), `http://127.0.0.2:${two.port}`]) })
  await balancer.untilAllReady()
})

test.before.each(() => {
  for (const server of [one, two]) {
    server.clear()
    server.answer = ok
  }
})

// The last test leaves a new primary.
test.after(() => stopServing(balancer))

const serversIn = ({ pools }: BalancerStatus, pool = 'legacy'): UpstreamServerStatus[] =>
  pools.find(({ name }) => name === pool)?.servers ?? []
const pidsIn = ({ pools }: BalancerStatus): number[] => pools[0]?.workers.map(({ pid }) => pid).sort() ?? []
const ask = async (path = '/'): Promise<number> => (await exchange(balancer.port, get(path))).status

async function askMany(count: number, path?: string): Promise<void> {
  for (let done = 0; done < count; done++) assert.is(await ask(path), 200)
}

test('each server has a slot in the status, beside the proxy workers', async () => {
  await askMany(8)
  const status = await balancer.untilStatus(
    (now) => serversIn(now).reduce((sum, { requests }) => sum + requests, 0) >= 8,
    'reports of the requests',
  )
  assert.equal(
    serversIn(status).map(({ slot, name, state, proxies, up }) => ({ slot, name, state, proxies, up })),
    [one, two].map((_server, slot) => ({ slot, name: `http://127.0.0.${slot + 1}:${one.port}`, state: 'ready', proxies: 2, up: 2 })),
  )
  const { out } = await runCommand(balancer, ['status'])
  assert.match(out, new RegExp(`legacy/1 +http://127\\.0\\.0\\.2:${two.port} +ready`))
  assert.match(out, /legacy\/proxy\/1 +ready/)
})

test('counts of a server go on when its proxy workers are replaced', async () => {
  const requests = (status: BalancerStatus): number => serversIn(status).reduce((sum, server) => sum + server.requests, 0)
  const before = requests(await balancer.status())
  await askMany(4)
  const pids = pidsIn(await balancer.status())
  await runCommand(balancer, ['restart', 'legacy/proxy/0'])
  await runCommand(balancer, ['restart', 'legacy/proxy/1'])
  assert.ok(!pidsIn(await balancer.status()).some((pid) => pids.includes(pid)))
  await askMany(2)
  await balancer.untilStatus((now) => requests(now) === before + 6, 'reports of the new workers')
})

test('explain --live shows the servers among which the proxy worker chooses', async () => {
  const { out } = await runCommand(balancer, ['explain', 'GET', '/', '--live'])
  assert.match(out, /policy +least-busy among the proxy workers, least-busy among the servers/)
  assert.match(out, new RegExp(`legacy/1 +http://127\\.0\\.0\\.2:${two.port} +ready +1 +0 `))
})

test('decisions name the server that each request was sent to', async () => {
  const decided = async (): Promise<string> => (await runCommand(balancer, ['decisions', 'legacy'])).out
  await decided()
  await ask('/decided')
  const text = await until(async () => (await decided()) || undefined, 10_000, 'decisions')
  assert.match(text, /legacy\/proxy\/[01] .* client /)
  const proxied = await until(async () => /^.* legacy\/[01] .* proxied .*$/m.exec(await decided())?.[0], 2_000, 'the choice of a server')
  assert.match(proxied, /least-busy +([01]:\d+\*? ?){2}$/)
})

test('a drained server gets no requests, what it has ends first, and restart brings it back', async () => {
  const held: (() => void)[] = []
  const hold: Answering = (request, socket) => void held.push(() => ok(request, socket))
  one.answer = hold
  two.answer = hold
  const clients = [new RawClient(balancer.port), new RawClient(balancer.port)]
  const [first, second] = clients.map((client) => client.write(get('/held')).answer())
  await until(() => held.length === 2, 5_000, 'a request at each server or two at one')
  const busy = two.requests.length > 0 ? { slot: 1, server: two, other: one } : { slot: 0, server: one, other: two }
  const drain = startCommand(balancer, ['drain', `legacy/${busy.slot}`])
  await balancer.untilStatus((now) => serversIn(now)[busy.slot]?.state === 'draining', 'the drain')
  busy.other.answer = ok
  const before = busy.server.requests.length
  await askMany(6)
  assert.is(busy.server.requests.length, before)
  for (const answer of held) answer()
  assert.equal([(await first)?.status, (await second)?.status], [200, 200])
  for (const client of clients) client.destroy()
  const { code } = await drain.ended
  assert.equal([code, drain.stderr()], [0, drain.stderr()])
  assert.match(drain.stdout(), new RegExp(`legacy/${busy.slot} is out of service; 'balancer restart legacy/${busy.slot}' brings it back`))
  assert.match((await runCommand(balancer, ['status'])).out, new RegExp(`legacy/${busy.slot} was taken out of service`))
  busy.server.answer = ok
  busy.server.clear()
  // A new proxy worker knows it too.
  assert.is((await runCommand(balancer, ['restart', 'legacy/proxy/0'])).code, 0)
  await askMany(6)
  assert.is(busy.server.requests.length, 0)
  assert.is((await runCommand(balancer, ['restart', `legacy/${busy.slot}`])).code, 0)
  await until(async () => (await ask()) === 200 && busy.server.requests.length > 0, 5_000, 'requests at the server that is back')
})

test('a name that means no server or no worker is an error that says which there are', async () => {
  const none = await runCommand(balancer, ['drain', 'legacy/7'])
  assert.is(none.code, 2)
  const log = await runCommand(balancer, ['logs', 'legacy/1'])
  assert.match(log.err, /legacy\/1 is an upstream server, and no process of the balancer; its worker is 'legacy\/proxy\/1'/)
  assert.is((await runCommand(balancer, ['logs', 'legacy/proxy/1'])).code, 0)
  assert.match(
    none.err,
    /there is no upstream server legacy\/7; those of legacy are legacy\/0, legacy\/1, and its proxy workers are named legacy\/proxy\/0/,
  )
})

test('a reload that changes the list alone keeps the proxy workers, and a removed server finishes its requests', async () => {
  const held: (() => void)[] = []
  two.answer = (request, socket) => void held.push(() => ok(request, socket))
  const client = new RawClient(balancer.port)
  const answer = (async () => {
    // Until one of them has gone to the second server.
    for (;;) {
      const { status } = await client.write(get('/stream', { Connection: 'keep-alive' })).answer()
      if (two.requests.length > 0) return status
    }
  })()
  await until(() => held.length === 1, 5_000, 'the request at the second server')
  const before = pidsIn(await balancer.status())
  balancer.configure(configOf([urlOf(one)]))
  const { code, out } = await runCommand(balancer, ['reload', 'legacy'])
  assert.is(code, 0)
  assert.match(out, /the servers of legacy are those of the config now; their proxy workers were kept/)
  assert.equal(pidsIn(await balancer.status()), before)
  const [, removed] = serversIn(await balancer.untilStatus((now) => serversIn(now).some(({ state }) => state === 'draining'), 'the drain'))
  assert.equal([removed?.slot, removed?.name, removed?.inFlight], [1, null, 1])
  await askMany(4)
  held[0]?.()
  assert.is(await answer, 200)
  client.destroy()
  await balancer.untilStatus((now) => serversIn(now).length === 1, 'the end of the removed server')
  balancer.configure(configOf([`http://127.0.0.2:${two.port}`, urlOf(one)]))
  assert.is((await runCommand(balancer, ['reload', 'legacy'])).code, 0)
  // A server keeps its slot, wherever it stands in the list.
  const names = serversIn(await balancer.status()).map(({ slot, name }) => [slot, name])
  assert.equal(names, [
    [0, urlOf(one)],
    [1, `http://127.0.0.2:${two.port}`],
  ])
})

test('a reload adds an upstream pool', async () => {
  const { pools = {}, routes = [], ...others } = configOf([urlOf(one)])
  balancer.configure({
    ...others,
    pools: { ...pools, added: { workers: 1, upstream: [`http://127.0.0.2:${two.port}`] } },
    routes: [...routes, { path: '/added', pool: 'added' }],
  })
  assert.is((await runCommand(balancer, ['reload'])).code, 0)
  await askMany(1, '/added')
  assert.equal([one.requests.length, two.requests.length], [0, 1])
  balancer.configure(configOf([urlOf(one), `http://127.0.0.2:${two.port}`]))
  assert.is((await runCommand(balancer, ['reload'])).code, 0)
})

test('a name follows DNS: its addresses are servers of their own, and stay when DNS fails', async () => {
  const addresses = (now: BalancerStatus) => serversIn(now, 'named').map(({ slot, address, state }) => [slot, address, state])
  await balancer.untilStatus((now) => addresses(now)[0]?.[1] === '127.0.0.1', 'the address')
  await askMany(2, '/named/a')
  assert.equal([one.requests.length, two.requests.length], [2, 0])
  dns.records.set('app.test', { addresses: ['127.0.0.1', '127.0.0.2'], ttlS: 0 })
  const both = await balancer.untilStatus((now) => addresses(now).length === 2, 'both addresses')
  assert.equal(addresses(both), [
    [0, '127.0.0.1', 'ready'],
    [1, '127.0.0.2', 'ready'],
  ])
  await until(async () => (await ask('/named/b')) === 200 && two.requests.length > 0, 5_000, 'a request at the second address')
  dns.isFailing = true
  await balancer.untilLine(
    ({ msg }) => /app\.test can't be looked up \(ESERVFAIL\): its last addresses stay in use/.test(msg),
    'the failure',
  )
  const asked = dns.questions.length
  await until(() => dns.questions.length > asked, 10_000, 'another try')
  assert.is(balancer.lines.filter(({ msg }) => msg.includes("can't be looked up")).length, 1)
  await askMany(2, '/named/c')
  dns.isFailing = false
  dns.records.set('app.test', { addresses: ['127.0.0.2'], ttlS: 0 })
  await balancer.untilStatus((now) => addresses(now).length === 1, 'one address', 20_000)
  one.clear()
  await askMany(4, '/named/d')
  assert.is(one.requests.length, 0)
})

test('the access log names the server and its time', async () => {
  await ask('/logged')
  const { readFileSync } = await import('node:fs')
  const line = await until(
    () =>
      readFileSync(join(logs, 'access.log'), 'utf8')
        .split('\n')
        .find((text) => text.includes('"/logged"')),
    10_000,
    'the line',
  )
  const { upstream, upstreamMs } = JSON.parse(line) as { upstream: string; upstreamMs: number }
  assert.match(upstream, /^http:\/\/127\.0\.0\.[12]:\d+$/)
  assert.ok(upstreamMs >= 0)
})

test('a new primary keeps what is out of service', async () => {
  assert.is((await runCommand(balancer, ['drain', 'legacy/1'])).code, 0)
  assert.is((await runCommand(balancer, ['upgrade'])).code, 0)
  two.clear()
  await askMany(6)
  assert.is(two.requests.length, 0)
  assert.match((await runCommand(balancer, ['status'])).out, /legacy\/1 was taken out of service/)
  assert.is((await runCommand(balancer, ['restart', 'legacy/1'])).code, 0)
  await until(async () => (await ask()) === 200 && two.requests.length > 0, 5_000, 'requests at the server that is back')
})

test.run()
