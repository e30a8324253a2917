// Pipelined requests of a client act one after another where one of them is forwarded to another worker (RFC 9112 §9.3.2).

import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { assert, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { get, RawClient } from './support/raw-client.ts'
import { type RunningBalancer, startBalancer, temporaryFolder } from './support/running-balancer.ts'

const test = suite('steering of pipelined requests', { timeoutMs: 60_000 })

const KEEP = { Connection: 'keep-alive' }
const folder = temporaryFolder()
const order = join(folder, 'order')
let balancer: RunningBalancer

test.before(async () => {
  balancer = await startBalancer({
    config: {
      app: 'ordered-app.mjs',
      pools: { web: { workers: 1 }, other: { workers: 1 } },
      routes: [{ path: '/other/*', pool: 'other' }],
    },
    env: { ORDER: order },
  })
  await balancer.untilAllReady()
})

test.before.each(() => writeFileSync(order, ''))

test.after(async () => assert.is(await balancer.stop(), 0))

const lines = (): string[] =>
  readFileSync(order, 'latin1')
    .split('\n')
    .filter((line) => line !== '' && !line.includes('/free'))
const holdOf = (path: string): string => join(folder, path.replaceAll('/', '-'))

/** A request that the app answers when its hold is gone. */
function held(method: string, path: string): string {
  writeFileSync(holdOf(path), '')
  const target = `${path}?while=${encodeURIComponent(holdOf(path))}`
  return method === 'GET' ? get(target, KEEP) : `${method} ${target} HTTP/1.1\r\nHost: test\r\nContent-Length: 1\r\n\r\nx`
}

/** Both workers have had time for whatever they would begin: each answers a request of another connection that came later. */
async function workersTurn(): Promise<void> {
  const other = new RawClient(balancer.port)
  for (const path of ['/free', '/other/free', '/free', '/other/free']) assert.is((await other.write(get(path, KEEP)).answer()).status, 200)
  other.destroy()
}

async function inOrder(requests: readonly (readonly [method: string, path: string])[]): Promise<void> {
  const client = new RawClient(balancer.port)
  client.write(requests.map(([method, path]) => held(method, path)).join(''))
  const expected: string[] = []
  for (const [method, path] of requests) {
    const pool = path.startsWith('/other/') ? 'other' : 'web'
    expected.push(`begin ${method} ${path} in ${pool}`)
    await until(() => lines().length >= expected.length, 10_000, `${method} ${path}`)
    await workersTurn()
    assert.equal(lines(), expected)
    rmSync(holdOf(path))
    expected.push(`end ${method} ${path} in ${pool}`)
    const answer = await client.answer()
    assert.equal([answer.status, answer.body.toString()], [200, pool])
  }
  client.destroy()
}

test('a request for another worker waits for those before it', () =>
  inOrder([
    ['POST', '/a'],
    ['GET', '/other/b'],
    ['POST', '/other/c'],
  ]))

test('a request that stays waits for one that was forwarded before it', () =>
  inOrder([
    ['GET', '/a'],
    ['POST', '/other/b'],
    ['GET', '/c'],
    ['POST', '/d'],
    ['GET', '/other/e'],
  ]))

test('requests that stay are announced together, as Node does it', async () => {
  const client = new RawClient(balancer.port)
  client.write(`${held('POST', '/a')}${held('GET', '/b')}`)
  await until(() => lines().length === 2, 10_000, 'both requests')
  for (const path of ['/a', '/b']) rmSync(holdOf(path))
  for (const _ of ['/a', '/b']) assert.is((await client.answer()).status, 200)
  client.destroy()
})

test('an upgrade waits for a request before it, whichever worker has it', async () => {
  for (const [before, path] of [
    ['/other/a', '/up'],
    ['/a', '/other/up'],
  ] as const) {
    writeFileSync(order, '')
    const client = new RawClient(balancer.port)
    const upgrade = get(path, { Connection: 'Upgrade', Upgrade: 'test' })
    // The first request decides where the connection is.
    client.write(`${get('/first', KEEP)}${held('POST', before)}${upgrade}`)
    assert.is((await client.answer()).status, 200)
    await until(() => lines().some((line) => line.startsWith(`begin POST ${before}`)), 10_000, 'the request')
    await workersTurn()
    assert.ok(!lines().some((line) => line.includes('/up')), lines().join('\n'))
    rmSync(holdOf(before))
    assert.is((await client.answer()).status, 200)
    assert.is((await client.answer()).status, 101)
    client.destroy()
  }
})

test('a client that hangs up takes what waits along', async () => {
  const client = new RawClient(balancer.port)
  client.write(`${held('POST', '/a')}${held('GET', '/other/b')}`)
  await until(() => lines().length === 1, 10_000, 'the first request')
  client.destroy()
  await workersTurn()
  for (const path of ['/a', '/other/b']) rmSync(holdOf(path))
  await until(() => lines().length === 2, 10_000, 'the end of the first request')
  await workersTurn()
  assert.equal(lines(), ['begin POST /a in web', 'end POST /a in web'])
})

test.run()
