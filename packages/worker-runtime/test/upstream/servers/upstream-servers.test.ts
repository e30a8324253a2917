import { leastInFlight, RequestHead } from '@switchyard/routing'
import { assert, suite } from '../../../../../test/suite.ts'
import { until } from '../../../../../test/support/until.ts'
import { CONNECT_TIMEOUT, reasonOf } from '../../../src/upstream/connection/failure.ts'
import { proxyHeaderV2 } from '../../../src/upstream/fields/proxy-header.ts'
import { UpstreamLog } from '../../../src/upstream/reports/upstream-log.ts'
import { RetryBudget } from '../../../src/upstream/servers/retry-budget.ts'
import { UpstreamServers } from '../../../src/upstream/servers/upstream-servers.ts'
import type { UpstreamStart } from '../../../src/upstream-start.ts'

const test = suite('upstream servers')

const head = RequestHead.of({ method: 'GET', target: '/', headers: {} })
const policy = leastInFlight()

const server = (port: number) =>
  ({
    ...{ protocol: 'http' as const, name: `http://127.0.0.1:${port}`, host: '127.0.0.1', port, path: undefined },
    ...{ slot: port - 1, generation: 0, address: undefined, weight: 1, isHeld: false },
  }) as const

function start(changes: Partial<UpstreamStart> = {}): UpstreamStart {
  return {
    servers: [server(1), server(2)],
    version: 1,
    drainTimeoutMs: 1_000,
    policies: [],
    maxVisitors: 10,
    visitorTtlMs: 1_000,
    slowStart: undefined,
    host: 'keep',
    stripPrefix: undefined,
    addPrefix: undefined,
    rewriteLocations: true,
    rewriteCookies: true,
    ca: undefined,
    maxConnections: 2,
    queueLimit: 1,
    queueTimeoutMs: 1_000,
    connectTimeoutMs: 1_000,
    responseTimeoutMs: 1_000,
    idleTimeoutMs: 1_000,
    tunnelTimeoutMs: 1_000,
    proxyProtocol: false,
    maxFailures: 2,
    ejectionMs: 100,
    probe: undefined,
    ...changes,
  }
}

function world(changes: Partial<UpstreamStart> = {}) {
  const clock = { ms: 0 }
  const lines: string[] = []
  const servers = new UpstreamServers({ start: start(changes), now: () => clock.ms, log: (line) => lines.push(line) })
  const [first, second] = servers.all
  if (first === undefined || second === undefined) throw new Error('two servers')
  return { clock, lines, servers, first, second, pick: (tried: (typeof first)[] = []) => servers.pick(policy, head, tried)?.slot }
}

test('the policy chooses by the requests in flight, among servers with room', () => {
  const { servers, first, second, pick } = world()
  assert.is(pick(), 0)
  first.begin()
  assert.is(pick(), 1)
  second.begin()
  second.begin()
  assert.is(pick(), 0)
  first.begin()
  assert.is(pick(), undefined)
  servers.end(second)
  assert.is(pick(), 1)
})

test('a server is ejected after failures in a row; one request tries it before the others come', () => {
  const { clock, lines, servers, first, pick } = world()
  for (let count = 0; count < 2; count++) {
    first.begin()
    servers.fail(first, 'connect-failed')
    servers.end(first)
  }
  assert.is(lines.length, 1)
  assert.is(first.state, 'ejected')
  assert.is(pick(), 1)
  clock.ms = 101
  assert.is(first.state, 'up')
  first.begin()
  assert.is(first.state, 'ejected')
  first.succeed(5)
  assert.is(first.state, 'up')
})

test('a try without an outcome, because its client hung up, is followed by another one', () => {
  const { clock, servers, first } = world()
  for (let count = 0; count < 2; count++) {
    first.begin()
    servers.fail(first, 'connect-failed')
    servers.end(first)
  }
  clock.ms = 101
  first.begin()
  servers.end(first)
  assert.is(first.state, 'ejected')
  clock.ms = 202
  assert.is(first.state, 'up')
})

test('each further ejection is longer, and a failed try begins it at once', () => {
  const { clock, servers, first } = world()
  const fail = (): void => {
    first.begin()
    servers.fail(first, 'closed-early')
    servers.end(first)
  }
  fail()
  fail()
  clock.ms = 101
  fail()
  assert.is(first.state, 'ejected')
  clock.ms = 101 + 199
  assert.is(first.state, 'ejected')
  clock.ms = 101 + 201
  assert.is(first.state, 'up')
})

test('if no server is up, all get requests', () => {
  const { first, second, pick } = world()
  for (const server of [first, second]) server.onProbe(false)
  assert.is(pick(), 0)
  second.onProbe(true)
  assert.is(pick(), 1)
})

test('servers that failed with a request are chosen last', () => {
  const { first, second, pick } = world()
  assert.is(pick([first]), 1)
  assert.ok(pick([first, second]) !== undefined)
})

test('a server that is back gets its share gradually', () => {
  const { clock, first } = world({
    slowStart: { windowMs: 1_000, from: 0.1, aggression: 1 },
    servers: [{ ...server(1), weight: 2 }, server(2)],
  })
  assert.is(first.weight, 2)
  first.onProbe(false)
  first.onProbe(true)
  assert.is(first.weight, 0.2)
  clock.ms = 500
  assert.is(first.weight, 1)
  assert.is(first.seatWeight, 2)
})

test('a changed list: servers that stay keep what is known of them, others drain, and held ones come back', () => {
  const { servers, first, second, pick } = world()
  first.begin()
  second.begin()
  servers.change({ version: 2, servers: [{ ...server(1), isHeld: true }, server(3)], restarted: undefined })
  assert.equal(
    servers.all.map(({ slot }) => slot),
    [2],
  )
  const states = () => servers.report.servers.map(({ slot, state }) => `${slot} ${state}`)
  assert.equal([servers.report.version, ...states()], [2, '0 draining', '1 draining', '2 up'])
  assert.is(pick(), 2)
  servers.end(second)
  assert.equal(states(), ['0 draining', '2 up'])
  servers.end(first)
  servers.change({ version: 3, servers: [server(1), server(3)], restarted: 0 })
  assert.equal(states(), ['0 up', '2 up'])
  assert.is(servers.all[0], first)
})

test('a slot with another address is another server', () => {
  const { servers, first } = world()
  servers.change({ version: 2, servers: [{ ...server(1), generation: 1, address: '10.0.0.7' }, server(2)], restarted: undefined })
  assert.is.not(servers.all[0], first)
  assert.is(servers.all[0]?.slot, 0)
})

test('a new server takes requests that wait', () => {
  const { servers, first, second } = world()
  for (const one of [first, first, second, second]) one.begin()
  let came = 0
  servers.wait(
    () => came++,
    () => {},
    1_000,
  )
  servers.change({ version: 2, servers: [server(1), server(2), server(3)], restarted: undefined })
  assert.is(came, 1)
})

test('a server put in service again is forgiven its failures', () => {
  const { servers, first } = world()
  for (let count = 0; count < 2; count++) servers.fail(first, 'connect-failed')
  assert.is(first.state, 'ejected')
  servers.change({ version: 2, servers: [server(1), server(2)], restarted: 0 })
  assert.is(first.state, 'up')
  assert.equal([first.failures, first.lastFailure], [2, 'connect-failed'])
})

test('requests that a drained server does not end are cut off', async () => {
  const { lines, servers, first } = world({ drainTimeoutMs: 5 })
  first.begin()
  servers.change({ version: 2, servers: [server(2)], restarted: undefined })
  await until(() => lines.length > 0, 5_000, 'the cut')
  assert.match(lines[0] ?? '', /^http:\/\/127\.0\.0\.1:1 was drained for too long: 1 request/)
})

test('requests wait for room in turn, and not too many of them', () => {
  const { servers, first } = world()
  const events: string[] = []
  first.begin()
  const stop = servers.wait(
    () => events.push('room'),
    () => events.push('late'),
    1_000,
  )
  assert.ok(stop)
  assert.is(
    servers.wait(
      () => {},
      () => {},
      1_000,
    ),
    undefined,
  )
  servers.end(first)
  assert.equal(events, ['room'])
  assert.is(servers.waitingCount, 0)
})

test('retries are a fifth of the requests', () => {
  const budget = new RetryBudget()
  for (let count = 0; count < 10; count++) assert.ok(budget.spend())
  assert.not.ok(budget.spend())
  for (let count = 0; count < 5; count++) budget.earn()
  assert.ok(budget.spend())
  assert.not.ok(budget.spend())
})

test('reasons', () => {
  const error = (code: string) => Object.assign(new Error(code), { code })
  assert.is(reasonOf(error('ECONNREFUSED'), false, true), 'connect-failed')
  assert.is(reasonOf(error('ENOENT'), false, false), 'connect-failed')
  assert.is(reasonOf(error(CONNECT_TIMEOUT), false, false), 'connect-timeout')
  assert.is(reasonOf(error('DEPTH_ZERO_SELF_SIGNED_CERT'), false, true), 'tls-failed')
  assert.is(reasonOf(error('HPE_INVALID_CONSTANT'), true, false), 'bad-answer')
  assert.is(reasonOf(undefined, true, false), 'closed-early')
})

test('the log of a dead server is bounded', () => {
  let nowMs = 0
  const lines: string[] = []
  const log = new UpstreamLog(
    () => nowMs,
    (line) => lines.push(line),
  )
  for (let count = 0; count < 100; count++) log.write('failed')
  assert.is(lines.length, 10)
  nowMs = 1_000
  log.write('failed')
  assert.equal(lines.slice(10), ['upstream: 90 more lines like the last ones', 'upstream: failed'])
})

test('headers of the PROXY protocol', () => {
  const of = (remoteAddress: string | undefined, localAddress: string | undefined) =>
    proxyHeaderV2({ remoteAddress, remotePort: 258, localAddress, localPort: 80 }).subarray(12).toString('hex')
  assert.is(of('::ffff:192.0.2.1', '192.0.2.2'), '2111000cc0000201c000020201020050')
  assert.is(of('2001:db8::1', '::1'), `21210024${'20010db8000000000000000000000001'}${'0'.repeat(31)}101020050`)
  assert.is(of(undefined, undefined), '20000000')
})

test.run()
