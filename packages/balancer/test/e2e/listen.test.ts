// Apps with several servers. Each address has its own listener, and a connection reaches the server of that address in any worker.

import { statSync } from 'node:fs'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { assert, suite } from '../../../../test/suite.ts'
import { freePort } from '../../../../test/support/ports.ts'
import { untilEvent } from '../../../../test/support/until.ts'
import { runCommand } from './support/commands.ts'
import { configOf, nameAt, said, startServers } from './support/listening-servers.ts'
import { get, RawClient } from './support/raw-client.ts'
import { startBalancer, temporaryFolder } from './support/running-balancer.ts'

const test = suite('listen', { timeoutMs: 40_000 })

/** The bytes of a server that sends first. */
async function spoken(port: number): Promise<string> {
  let text = ''
  for await (const bytes of connect(port, '127.0.0.1')) text += bytes
  return text
}

test('two ports, two hosts, a unix socket and a net server are served by every worker', async () => {
  const [one, two, bare] = [await freePort(), await freePort(), await freePort()]
  const path = join(temporaryFolder(), 'app.sock')
  const balancer = await startServers([
    { name: 'one', listen: [one] },
    { name: 'two', listen: [two, '127.0.0.1'] },
    { name: 'other', listen: [{ port: two, host: '127.0.0.2' }] },
    { name: 'path', listen: [path] },
    { name: 'bare', kind: 'net', listen: [bare] },
  ])
  assert.is(balancer.addresses.length, 5)
  const before = (await balancer.status()).connections.handedOff
  const pids = new Set<string>()
  for (let turn = 0; turn < 8; turn++) {
    for (const [name, target] of [
      ['one', one],
      ['two', two],
      ['other', { port: two, host: '127.0.0.2' }],
      ['path', { path }],
    ] as const) {
      const [by, pid] = (await said(target)).split(' ') as [string, string]
      assert.is(by, name)
      pids.add(pid)
    }
    assert.match(await spoken(bare), /^bare \d+$/)
  }
  assert.is(pids.size, 2)
  await balancer.untilStatus(({ connections }) => connections.handedOff === before + 40, 'every connection handed off')
  const { out } = await runCommand(balancer, ['status'])
  for (const text of [String(one), `127.0.0.1:${two}`, `127.0.0.2:${two}`, path, String(bare)]) assert.match(out, text)
  assert.is(await balancer.stop(), 0)
  assert.is(statSync(path, { throwIfNoEntry: false }), undefined)
})

test('ports that the kernel chooses are known at once, and are the same in every worker, also in a later one', async () => {
  const balancer = await startServers([
    { name: 'one', listen: [0] },
    { name: 'two', listen: [{ port: 0 }] },
    { name: 'three', listen: [0, '127.0.0.1'] },
  ])
  const addresses = async (): Promise<Record<string, { synchronous: { port: number } | null; event: { port: number } }>> =>
    JSON.parse(await said(balancer.port, '/addresses'))
  const { one, two, three } = await addresses()
  // With a host name Node resolves it first.
  assert.equal([one?.synchronous, two?.synchronous, three?.synchronous], [one?.event, two?.event, null])
  assert.is(new Set([one?.event.port, two?.event.port, three?.event.port]).size, 3)
  const [first] = (await balancer.status()).pools[0]?.workers ?? []
  process.kill(first?.pid as number, 'SIGKILL')
  await balancer.untilLine(({ signal }) => signal === 'SIGKILL', 'the kill')
  await balancer.untilAllReady()
  for (let turn = 0; turn < 6; turn++) assert.equal(await addresses(), { one, two, three })
  for (const [name, told] of Object.entries({ one, two, three })) assert.is(await nameAt(told?.event.port as number), name)
  assert.is(await balancer.stop(), 0)
})

test('the config names one of two ports: its server gets it, whichever listens first', async () => {
  const serve = async (order: 'first' | 'last') => {
    const [main, metrics] = [await freePort(), await freePort()]
    const both = [
      { name: 'main', listen: [main] },
      { name: 'metrics', listen: [metrics] },
    ]
    const balancer = await startServers(order === 'first' ? both : both.reverse(), { listen: `127.0.0.1:${main}` }, 1)
    for (let turn = 0; turn < 6; turn++) assert.equal([await nameAt(main), await nameAt(metrics)], ['main', 'metrics'], order)
    assert.is(await balancer.stop(), 0)
  }
  await Promise.all([serve('first'), serve('last')])
})

test('the config names both ports, or another port: each server gets its own, or the first gets all', async () => {
  const [one, two, elsewhere] = [await freePort(), await freePort(), await freePort()]
  const servers = [
    { name: 'one', listen: [one] },
    { name: 'two', listen: [two] },
  ]
  const both = await startServers(servers, { listen: [`127.0.0.1:${two}`, `127.0.0.1:${one}`] }, 1)
  for (let turn = 0; turn < 4; turn++) assert.equal([await nameAt(one), await nameAt(two)], ['one', 'two'])
  assert.is(await both.stop(), 0)
  const moved = await startServers(servers, { listen: [`127.0.0.1:${elsewhere}`] }, 1)
  for (let turn = 0; turn < 4; turn++) {
    assert.equal([await nameAt(elsewhere), await nameAt(two), await said(one)], ['one', 'two', 'ECONNREFUSED'])
  }
  assert.is(await moved.stop(), 0)
})

test('the kernel distributes connections of `unbalanced` addresses; an exclusive server is in one worker alone', async () => {
  const [main, debug, exclusive] = [await freePort(), await freePort(), await freePort()]
  const balancer = await startServers(
    [
      { name: 'debug', listen: [debug] },
      { name: 'main', listen: [main] },
      { name: 'exclusive', listen: [{ port: exclusive, exclusive: true }] },
    ],
    { unbalanced: [debug] },
  )
  assert.is(balancer.port, main)
  const { handedOff } = (await balancer.status()).connections
  for (let turn = 0; turn < 4; turn++) {
    assert.is(await nameAt(main), 'main')
    assert.is(await nameAt(debug), 'debug')
    assert.is(await nameAt(exclusive), 'exclusive')
  }
  await balancer.untilStatus(({ connections }) => connections.handedOff === handedOff + 4, 'the balanced connections only')
  for (const [port, why] of [
    [debug, "'unbalanced'"],
    [exclusive, '`exclusive`'],
  ] as const) {
    const lines = balancer.lines.filter(({ msg }) => msg.includes(`:${port}`) && msg.includes('not balanced'))
    assert.is(lines.length, 1, balancer.child.output())
    assert.match(lines[0]?.msg ?? '', why)
  }
  assert.is(await balancer.stop(), 0)
})

test('beyond maxListeners the kernel distributes connections, and the log says so', async () => {
  const [one, two] = [await freePort(), await freePort()]
  const balancer = await startServers(
    [
      { name: 'one', listen: [one] },
      { name: 'two', listen: [two] },
    ],
    { maxListeners: 1 },
  )
  assert.equal([await nameAt(one), await nameAt(two)], ['one', 'two'])
  await balancer.untilLine(({ msg }) => msg.includes(`:${two} is not balanced`) && msg.includes('maxListeners'), 'the warning')
  assert.is(await balancer.stop(), 0)
})

test('two pools: connections without a route go to the pool that listens there; a route applies on every port', async () => {
  const [web, api] = [await freePort(), await freePort()]
  const env = (name: string, port: number) => ({ SERVERS: JSON.stringify([{ name, listen: [port] }]) })
  const balancer = await startBalancer({
    config: {
      app: 'servers-app.mjs',
      listen: undefined,
      pools: { web: { workers: 1, env: env('web', web) }, api: { workers: 1, env: env('api', api) } },
      routes: [{ path: '/api', pool: 'api' }],
    },
  })
  await balancer.untilAllReady()
  const name = async (port: number, path: string) => (await said(port, path)).split(' ')[0]
  assert.equal([await name(web, '/'), await name(web, '/api')], ['web', 'api'])
  assert.equal([await name(api, '/'), await name(api, '/api')], ['api', 'api'])
  assert.is(await balancer.stop(), 0)
})

test('a forwarded request reaches the server of its port in the other worker', async () => {
  const [main, second] = [await freePort(), await freePort()]
  const servers = [
    { name: 'main', listen: [main] },
    { name: 'second', listen: [second] },
  ]
  const { pools } = configOf(servers, {}, 1)
  const balancer = await startBalancer({
    config: {
      app: 'servers-app.mjs',
      listen: undefined,
      pools: { web: pools?.web ?? {}, other: pools?.web ?? {} },
      routes: [{ path: '/other', pool: 'other' }],
    },
  })
  await balancer.untilAllReady()
  for (const [name, port] of [
    ['main', main],
    ['second', second],
  ] as const) {
    const client = new RawClient(port)
    // In one write: the second request belongs to the other pool, and the connection can't move.
    client.write(['/', '/other', '/'].map((path) => get(path, { Connection: 'keep-alive' })).join(''))
    const answers = [await client.answer(), await client.answer(), await client.answer()].map(({ body }) => body.toString())
    assert.equal(
      answers.map((text) => text.split(' ')[0]),
      [name, name, name],
    )
    assert.is.not(answers[0], answers[1])
    assert.is(answers[0], answers[2])
    client.destroy()
  }
  assert.is(await balancer.stop(), 0)
})

test('a server that only tests whether its port is free does not make the worker ready', async () => {
  const [port, taken] = [await freePort(), await freePort()]
  const holder = createServer((_request, response) => response.end('holder')).listen(taken)
  await untilEvent(holder, 'listening')
  const balancer = await startBalancer({
    config: { app: 'port-check-app.mjs', listen: undefined, pools: { web: { workers: 2 } } },
    env: { PORTS: `${taken},${port}` },
  })
  await balancer.untilAllReady()
  for (let turn = 0; turn < 6; turn++) assert.match(await said(port), /^real/)
  assert.equal(
    balancer.addresses.map((address) => address.replace(/^.*:/, '')),
    [String(port)],
  )
  assert.is(await nameAt(taken), 'holder')
  assert.is(await balancer.stop(), 0)
  holder.close()
})

test.run()
