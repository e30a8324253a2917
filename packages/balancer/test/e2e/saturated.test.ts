// More clients than the workers can serve: every request is answered once and completely, afterwards every worker is free, and no client
// address starves the others.

import { assert, suite } from '../../../../test/suite.ts'
import { get, RawClient } from './support/raw-client.ts'
import { RequestHold } from './support/request-hold.ts'
import { movesConnections, startBalancer } from './support/running-balancer.ts'
import { begunOf, faultsOf, startBurning, sumOf, untilBegun, untilFree } from './support/saturated-workers.ts'
import { forMs, saturate } from './support/saturating-clients.ts'
import { StartedRequests } from './support/started-requests.ts'

const test = suite('saturated', { timeoutMs: 40_000 })

const LOAD_MS = 1_000
/** Long enough for a machine that is slow for a while. */
const PATIENT = { timeoutMs: 300_000 }
/** Requests of 7 ms. */
const HEAVY = 200

test('more clients than can be offered to the workers: every request is answered once and completely', async () => {
  const begun = new StartedRequests()
  const balancer = await startBurning({ policy: 'least-in-flight', queue: PATIENT, env: { BEGUN_FILE: begun.file } })
  const descriptors = balancer.descriptors
  const { asked, answered, unserved, wrong } = await saturate({ target: balancer.port, clients: 600, ms: 0.2, isOver: forMs(LOAD_MS) })
  assert.equal([unserved, wrong], [[], []])
  assert.is(answered, asked)
  const status = await untilBegun(balancer, asked)
  begun.read()
  assert.equal(begun.twice, [])
  assert.equal(faultsOf(status), [])
  assert.equal([status.connections.accepted, status.connections.handedOff, sumOf(begunOf(status))], [asked, asked, asked])
  await balancer.untilDescriptors(descriptors)
  assert.is(await balancer.stop(), 0)
})

test('after many short requests both workers count as free and get long requests', async () => {
  const balancer = await startBurning({ queue: PATIENT })
  let before = 0
  for (const [isKept, prefix] of [
    [false, 'new'],
    [true, 'kept'],
  ] as const) {
    const crowd = { target: balancer.port, clients: 200, ms: 0.2, isKept, prefix, isOver: forMs(LOAD_MS / 2) }
    const { asked, unserved, wrong } = await saturate(crowd)
    assert.equal([unserved, wrong], [[], []])
    before += asked
  }
  const short = begunOf(await untilBegun(balancer, before))
  const crowd = { target: balancer.port, clients: 200, ms: 7, isOver: (asked: number) => asked >= HEAVY }
  const { unserved, wrong } = await saturate(crowd)
  assert.equal([unserved, wrong], [[], []])
  const status = await untilBegun(balancer, before + HEAVY)
  const long = begunOf(status).map((count, index) => count - (short[index] as number))
  assert.is(sumOf(long), HEAVY)
  // A worker without CPU time for a while gets fewer; a worker that counted as busy for ever would get none.
  for (const count of long) assert.ok(count >= HEAVY / 4, `${long}`)
  assert.equal(faultsOf(status, true), [])
  assert.is(await balancer.stop(), 0)
})

test('connections in the queue are served although kept-alive connections fill every loop turn', async () => {
  // Over the portable channel a worker closes its own connections when others have waited for too long.
  const rest = movesConnections ? 'never' : 'auto'
  const balancer = await startBurning({ more: { pools: { web: { workers: 2, rest, queue: PATIENT } } } })
  const clients = 200
  const { asked, answered, settled, fewest, unserved, wrong } = await saturate({
    target: balancer.port,
    clients,
    ms: 1,
    isKept: true,
    // At first the clients that came first have more answers, until the workers close connections.
    settleMs: LOAD_MS,
    isOver: forMs(4 * LOAD_MS),
  })
  assert.equal([answered, unserved, wrong], [asked, [], []])
  // A client that starves has a tenth.
  assert.ok(fewest >= settled / clients / 3, `${settled / clients} answers of a client, of one no more than ${fewest}`)
  await untilFree(balancer)
  assert.is(await balancer.stop(), 0)
})

test('while one address fills the queue, a client of another address is served before its second connection', async () => {
  const limit = 8
  const balancer = await startBalancer({
    config: {
      app: 'expect-app.mjs',
      pools: { web: { workers: 1, concurrency: 1, queue: { ...PATIENT, limit } } },
      policy: 'least-in-flight',
    },
  })
  const ask = (localAddress: string, request: string) =>
    new RawClient({ host: '127.0.0.1', port: balancer.port, localAddress }).write(request)
  for (let round = 1; round <= 3; round++) {
    // The last request of the round before has another name.
    await untilFree(balancer)
    const hold = new RequestHold()
    const held = ask('127.0.0.66', hold.request('/wait'))
    await balancer.untilStatus(
      ({ connections: { waiting }, pools }) => waiting.offered === 0 && pools[0]?.workers[0]?.load.inFlight === 1,
      'one request in the worker',
    )
    const refusedBefore = (round - 1) * 4
    const full = (refused: number) =>
      balancer.untilStatus(
        ({ connections }) => connections.waiting.queue === limit && connections.refused['queue-full'] === refusedBefore + refused,
        `a full queue, and ${refused} refused`,
      )
    const greedy = Array.from({ length: limit + 3 }, () => ask('127.0.0.66', get('/')))
    await full(3)
    const other = ask('127.0.0.77', get('/'))
    await full(4)
    hold.release()
    const begun = Number((await held.answer()).headers.get('x-begun')?.[0])
    const { status, headers } = await other.answer()
    assert.equal([status, Number(headers.get('x-begun')?.[0])], [200, begun + 2])
    const statuses = await Promise.all(greedy.map(async (client) => (await client.answer()).status))
    assert.equal([statuses.filter((one) => one === 200).length, statuses.filter((one) => one === 503).length], [limit - 1, 4])
    for (const client of [held, other, ...greedy]) client.destroy()
  }
  assert.is(await balancer.stop(), 0)
})

test.run()
