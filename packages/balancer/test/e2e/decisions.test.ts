// What a running balancer says of its decisions: the commands decisions, errors and explain --live, the response field, and the metrics.

import { assert, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { hello, serverName } from '../../../routing/test/head/hello-bytes.ts'
import type { Decision } from '../../src/decisions/decision.ts'
import type { BadHeadReport } from '../../src/insight/bad-head-report.ts'
import type { LiveExplanation } from '../../src/insight/live-explanation.ts'
import { runCommand, startCommand } from './support/commands.ts'
import { replayDecisions } from './support/decision-run.ts'
import { type Answer, exchange, RawClient } from './support/raw-client.ts'
import { movesConnections, portOf, type RunningBalancer, startBalancer } from './support/running-balancer.ts'

const test = suite('decisions', { timeoutMs: 40_000 })

const SECRET_VALUE = 'a-value-that-must-not-be-shown'
const config = {
  app: 'blocking-app.mjs',
  pools: { web: { workers: 2 } },
  explainTo: ['127.0.0.1'],
  routes: [{ path: '/cart/*', policy: { sticky: { by: { cookie: 'sid' } } } }],
} as const

const request = (path: string, ...fields: string[]): string =>
  [`GET ${path} HTTP/1.1`, 'Host: a', 'Connection: close', ...fields, '', ''].join('\r\n')
const fieldOf = ({ headers }: Answer): string | undefined => headers.get('x-switchyard-explain')?.[0]

async function everyDecision(balancer: RunningBalancer, ...args: string[]): Promise<Decision[]> {
  const { code, out } = await runCommand(balancer, ['decisions', '--json', ...args])
  assert.is(code, 0)
  return out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
    .filter((line) => 'number' in line)
}

/** Without those that follow when a busy machine makes the primary recall a hand-off. */
async function decisionsOf(balancer: RunningBalancer, ...args: string[]): Promise<Decision[]> {
  return (await everyDecision(balancer, ...args)).filter(({ origin }) => origin === 'client')
}

test('recording begins with the first reader; decisions are filtered, and followed; keys are hashed everywhere', async () => {
  const balancer = await startBalancer({ config })
  await balancer.untilAllReady()
  await exchange(balancer.port, request('/'))
  const none = await runCommand(balancer, ['decisions'])
  assert.is(none.code, 0)
  assert.match(none.err, 'Recording begins now')
  const sticky = await exchange(balancer.port, request('/cart/1', `Cookie: sid=${SECRET_VALUE}`))
  await exchange(balancer.port, request('/'))
  const [first, second, ...others] = await decisionsOf(balancer)
  assert.is(others.length, 0)
  assert.is(first?.route, '/cart/*')
  assert.is(first?.policy, 'sticky-hash')
  assert.is(first?.origin, 'client')
  assert.is(first?.by, 'policy')
  assert.is(first?.candidates.length, 2)
  assert.is(first?.key?.kind, 'cookie sid')
  assert.is(second?.key, null)
  const field = fieldOf(sticky)
  assert.match(
    field ?? '',
    `worker=web/${first?.worker?.slot}; generation=0; route="/cart/*"; policy=sticky-hash; arrival=routed; key="cookie sid"; hash=${first?.key?.hash}`,
  )

  assert.equal(
    (await decisionsOf(balancer, '--route', '/cart/*')).map(({ number }) => number),
    [1],
  )
  assert.equal(
    (await decisionsOf(balancer, '-n', '1')).map(({ number }) => number),
    [2],
  )
  assert.equal((await decisionsOf(balancer, `web/${first?.worker?.slot}`, '--route', '/cart/*')).length, 1)
  const unknown = await runCommand(balancer, ['decisions', '--route', '/nowhere'])
  assert.is(unknown.code, 2)
  assert.match(unknown.err, "there is no route '/nowhere'; the routes are '/cart/*', '(everything else)'")

  const follower = startCommand(balancer, ['decisions', '-f', '-n', '1'])
  await until(() => follower.stdout().includes('TIME'))
  await exchange(balancer.port, request('/cart/2', `Cookie: sid=${SECRET_VALUE}`))
  await until(() => follower.stdout().includes(`sticky-hash by cookie sid #${first?.key?.hash}`))

  const live = await runCommand(balancer, ['explain', 'GET', '/cart/3', '-H', `Cookie: sid=${SECRET_VALUE}`, '--live', '--json'])
  const explanation = JSON.parse(live.out) as LiveExplanation
  assert.equal([explanation.route, explanation.worker?.slot, explanation.key], ['/cart/*', first?.worker?.slot, first?.key])
  assert.equal(
    explanation.workers.map(({ slot, isCandidate }) => [slot, isCandidate]),
    [
      [0, true],
      [1, true],
    ],
  )
  const text = await runCommand(balancer, ['explain', 'GET', '/cart/3', '-H', `Cookie: sid=${SECRET_VALUE}`, '--live'])
  assert.match(text.out, new RegExp(`^choice +web/${first?.worker?.slot}$`, 'm'))

  const metrics = await balancer.metrics()
  assert.match(metrics, 'switchyard_sticky_choices_total{route="/cart/*",outcome="kept"} 2')
  assert.match(metrics, 'switchyard_choices_total{route="/cart/*",policy="sticky-hash",by="policy"} 2')
  await balancer.stop()
  await follower.ended
  for (const shown of [follower.output(), live.out, text.out, metrics, field, balancer.child.output()])
    assert.not.match(shown ?? '', SECRET_VALUE)
})

test('the response field goes to listed addresses only, and to no client behind an unknown proxy', async () => {
  const balancer = await startBalancer({ config: { ...config, explainTo: ['127.0.0.1', '203.0.113.0/24'], trustedProxies: ['127.0.0.2'] } })
  const from = (localAddress: string) => ({ host: '127.0.0.1', port: balancer.port, localAddress })
  const fields = async (address: string, ...lines: string[]) => fieldOf(await exchange(from(address), request('/', ...lines)))
  assert.match((await fields('127.0.0.1')) ?? 'none', 'policy=least-busy; arrival=routed')
  assert.is(await fields('127.0.0.1', 'X-Forwarded-For: 127.0.0.1'), undefined)
  assert.is(await fields('127.0.0.1', 'Via: 1.1 proxy'), undefined)
  assert.is(await fields('127.0.0.3'), undefined)
  assert.is(await fields('127.0.0.3', 'X-Forwarded-For: 203.0.113.7'), undefined)
  assert.ok(await fields('127.0.0.2', 'X-Forwarded-For: 203.0.113.7'))
  assert.is(await fields('127.0.0.2', 'X-Forwarded-For: 198.51.100.7'), undefined)
  assert.is(await fields('127.0.0.2'), undefined)
  const kept = new RawClient(from('127.0.0.1'))
  kept.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  assert.match(fieldOf(await kept.answer()) ?? '', 'arrival=routed')
  kept.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  assert.match(fieldOf(await kept.answer()) ?? '', movesConnections ? /arrival=(kept|routed)/ : 'arrival=kept')
  kept.socket.destroy()
  await balancer.stop()
})

test('errors shows refused and unreadable heads with the byte at which reading stopped, and masks secrets', async () => {
  const balancer = await startBalancer({ config: { ...config, headTimeoutMs: 200 } })
  await exchange(balancer.port, `GET / HTTP/1.1\r\nHost: a\r\nCookie: sid=${SECRET_VALUE}\r\nHost: b\r\n\r\n`)
  await exchange(balancer.port, 'SSH-2.0-\x1b[31mOpenSSH\r\n')
  await exchange(balancer.port, `GET /?token=${SECRET_VALUE} HTTP/1.1\r\nHost: a\nX: 1\r\n\r\n`)
  await exchange(balancer.port, `GET / HTTP/1.1\r\nAuthorization: ${SECRET_VALUE}`)
  const json = await runCommand(balancer, ['errors', '--json'])
  const heads = json.out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as BadHeadReport)
  assert.equal(
    heads.map(({ reason, offset, byte }) => [reason, offset, byte]),
    [
      ['ambiguous-head', 25 + `Cookie: sid=${SECRET_VALUE}\r\n`.length, 'H'.charCodeAt(0)],
      ['not-http', 'SSH-2.0-'.length, 0x1b],
      ['unreadable', `GET /?token=${SECRET_VALUE} HTTP/1.1\r\nHost: a`.length, 0x0a],
      ['head-timeout', `GET / HTTP/1.1\r\nAuthorization: ${SECRET_VALUE}`.length, null],
    ],
  )
  assert.ok(heads.every(({ address, time }) => address === '127.0.0.1' && Math.abs(Date.now() - time) < 60_000))
  const text = await runCommand(balancer, ['errors'])
  assert.match(text.out, /^ {2}> 00000 {2}SSH-2\.0-\\x1b\[31mOpenSSH\\r\\n$/m)
  assert.match(text.out, 'Cookie***')
  assert.not.match(text.out, SECRET_VALUE)
  assert.not.match(json.out, SECRET_VALUE)
  assert.not.match(text.out, '\x1b')
  await balancer.stop()
})

test('errors shows refused PROXY protocol headers and ClientHellos too', async () => {
  const local = { host: '127.0.0.1', port: 0 }
  const balancer = await startBalancer({
    config: {
      ...config,
      listen: [
        { ...local, proxyProtocol: { from: ['127.0.0.1'] } },
        { ...local, proxyProtocol: { from: ['10.0.0.0/8'] } },
        { ...local, protocol: 'http' },
        { ...local, protocol: 'tls' },
        local,
      ],
    },
  })
  const [behindProxy, open, plain, secure, any] = balancer.addresses.map(portOf) as [number, number, number, number, number]
  const line = 'PROXY TCP4 192.0.2.1 198.51.100.1 40000 443\r\n'
  await exchange(behindProxy, request('/', `Cookie: sid=${SECRET_VALUE}`))
  await exchange(behindProxy, `PROXY TCP4 192.0.2.1 198.51.100.1 4000o 443\r\n${request('/')}`)
  await exchange(open, line + request('/'))
  await exchange(plain, hello({ serverName: 'a.example' }).toString('latin1'))
  await exchange(secure, request('/'))
  const twoNames = hello({ serverName: 'a.example', extensions: [serverName('b.example')] })
  const client = new RawClient(any).write(twoNames.toString('latin1'))
  await until(() => everyHead(balancer, 6), 10_000, 'six bad heads')
  const heads = (await runCommand(balancer, ['errors', '--json'])).out.trimEnd().split('\n')
  assert.equal(
    heads.map((text) => JSON.parse(text) as BadHeadReport).map(({ reason, address, offset, byte }) => [reason, address, offset, byte]),
    [
      ['proxy-header-missing', '127.0.0.1', 0, 'G'.charCodeAt(0)],
      ['proxy-header-invalid', '127.0.0.1', line.indexOf('40000'), '4'.charCodeAt(0)],
      ['proxy-header-untrusted', '127.0.0.1', 0, 'P'.charCodeAt(0)],
      ['not-http', '127.0.0.1', 0, 22],
      ['unreadable', '127.0.0.1', 0, 'G'.charCodeAt(0)],
      ['unreadable', '127.0.0.1', twoNames.indexOf(serverName('a.example')), 0],
    ],
  )
  const text = (await runCommand(balancer, ['errors'])).out
  assert.match(text, 'the PROXY protocol header is malformed: the source port is not one of TCP4')
  assert.match(text, 'the listener expects HTTP/1, and the client speaks TLS')
  assert.match(text, 'the listener expects TLS, and this is no ClientHello')
  assert.match(text, 'the ClientHello is malformed here')
  assert.not.match(text, SECRET_VALUE)
  client.destroy()
  await balancer.stop()
})

async function everyHead(balancer: RunningBalancer, count: number): Promise<boolean> {
  const { out } = await runCommand(balancer, ['errors', '--json'])
  return out.trimEnd().split('\n').length === count
}

test('a decision has its origin: given back, rested, forwarded, waited, refused', async () => {
  const balancer = await startBalancer({
    config: {
      app: 'blocking-app.mjs',
      decisions: true,
      pools: { web: { workers: 1, rest: 'always' }, other: { workers: 1, queue: { timeoutMs: 100 } } },
      routes: [{ path: '/other', pool: 'other' }],
    },
  })
  await balancer.untilAllReady()
  const first = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
  const second = 'GET /other HTTP/1.1\r\nHost: a\r\n\r\n'
  const all = async (): Promise<Decision[]> => (await everyDecision(balancer)).filter(({ origin }) => origin !== 'recalled')
  // Both requests arrive together, so the connection can't move with the second one.
  const pipelined = new RawClient(balancer.port).write(first + second)
  await pipelined.answer()
  await pipelined.answer()
  pipelined.destroy()
  assert.equal(
    (await all()).map(({ origin, pool, by }) => [origin, pool, by]),
    [
      ['client', 'web', 'policy'],
      ['forwarded', 'other', 'policy'],
    ],
  )
  if (movesConnections) {
    const kept = new RawClient(balancer.port).write(first)
    await kept.answer()
    await balancer.untilStatus(({ connections }) => connections.waiting.resting === 1, 'a resting connection')
    kept.write(first)
    await kept.answer()
    const [rested] = (await all()).slice(-1)
    assert.equal([rested?.origin, rested?.pool], ['rested', 'web'])
    kept.destroy()
    const moved = new RawClient(balancer.port).write(second)
    await moved.answer()
    moved.write(first)
    await moved.answer()
    const [givenBack] = (await all()).slice(-1)
    assert.equal([givenBack?.origin, givenBack?.pool], ['given-back', 'web'])
    moved.destroy()
  }
  // The loop of the only worker is busy, so the first of these waits for it, and the second for too long.
  const blocked = new RawClient(balancer.port).write('GET /other?ms=700 HTTP/1.1\r\nHost: a\r\n\r\n')
  await balancer.untilStatus(({ pools }) => pools[1]?.workers[0]?.load.isFree === false, 'a busy loop')
  const late = new RawClient(balancer.port).write(second)
  assert.is((await late.answer()).status, 503)
  await blocked.answer()
  const refused = (await all()).find((decision) => decision.refused !== null)
  assert.equal([refused?.refused, refused?.worker, refused?.by], ['queue-timeout', null, null])
  assert.ok((refused?.waitedMs ?? 0) >= 100)
  blocked.destroy()
  late.destroy()
  await balancer.stop()
})

test('2,000 decisions under load are explained as they were made', async () => {
  const { replay, lost, answered } = await replayDecisions(2_000, 5)
  assert.equal(replay.faults.slice(0, 3), [])
  assert.is(lost, 0)
  assert.is(answered, 2_000)
  assert.ok((replay.byWay.get('policy') ?? 0) + (replay.byWay.get('ahead') ?? 0) >= 2_000)
})

test.run()
