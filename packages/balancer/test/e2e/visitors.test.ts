// Sticky by the app's own session cookie: the worker that set it keeps the visitor, and its slot does through crashes, reloads and upgrades.

import { hasNative } from '@switchyard/handoff'
import { assert, suite } from '../../../../test/suite.ts'
import { runCommand } from './support/commands.ts'
import { cookieOf, metric, newVisitors, type SlotAnswer, type Visitor, visit, visitTwice } from './support/cookie-visitors.ts'
import { exchange, get, json, RawClient } from './support/raw-client.ts'
import type { RunningBalancer } from './support/running-balancer.ts'
import { startUpgradable, stopServing, untilGone, upgrade } from './support/upgradable-balancer.ts'

const VISITORS = 16
const WORKERS = 3
const KEEP = { Connection: 'keep-alive' }

for (const channel of ['native', 'portable']) {
  if (channel === 'native' && !hasNative()) continue
  const test = suite(`sticky by a learned cookie, ${channel}`, { timeoutMs: 90_000 })
  let balancer: RunningBalancer
  let visitors: Visitor[] = []

  test.before(async () => {
    balancer = await startUpgradable({
      config: {
        app: 'visitors-app.mjs',
        pools: { web: { workers: WORKERS } },
        routes: [{ path: '/*', policy: { sticky: { by: { learn: 'connect.sid' }, otherwise: 'round-robin' } } }],
        restartDelayMs: 20,
      },
      env: { SWITCHYARD_CHANNEL: channel },
    })
    visitors = await newVisitors(balancer, VISITORS)
  })

  test.after(() => stopServing(balancer))

  test('a visitor returns to the worker that created its session', async () => {
    const learned = async () => [await metric(balancer, 'switchyard_learned_visitors'), await metric(balancer, 'switchyard_learned_total')]
    const before = await learned()
    const own = await newVisitors(balancer, VISITORS)
    assert.is(new Set(own.map(({ slot }) => slot)).size, WORKERS)
    for (const { isOwn } of await visitTwice(balancer, own)) assert.ok(isOwn)
    assert.equal(
      await learned(),
      before.map((count) => count + VISITORS),
    )
  })

  test('many visitors behind one kept-alive connection reach their workers', async () => {
    const own = await newVisitors(balancer, VISITORS)
    const client = new RawClient(balancer.port)
    for (let round = 0; round < 3; round++) {
      for (const { cookie, slot } of own) {
        for (let turn = 0; turn < 2; turn++) {
          const said = json<SlotAnswer>(await client.write(get('/', { ...KEEP, Cookie: cookie })).answer())
          assert.equal([said.slot, said.isOwn], [slot, true])
        }
      }
    }
    client.destroy()
  })

  test('a visitor on its own connection causes no move', async () => {
    const movesOf = async () => {
      const { moves } = await balancer.status()
      return [...moves.givenBack, ...moves.forwarded].reduce((sum, { count }) => sum + count, 0)
    }
    const before = await movesOf()
    const client = new RawClient(balancer.port)
    const first = await client.write(get('/', KEEP)).answer()
    const cookie = cookieOf(first) as string
    for (let turn = 0; turn < 20; turn++) {
      const said = json<SlotAnswer>(await client.write(get('/', { ...KEEP, Cookie: cookie })).answer())
      assert.equal([said.slot, said.isOwn], [json<SlotAnswer>(first).slot, true])
    }
    client.destroy()
    const other = new RawClient(balancer.port)
    for (let turn = 0; turn < 20; turn++) await other.write(get('/', { ...KEEP, Cookie: (visitors[0] as Visitor).cookie })).answer()
    other.destroy()
    assert.is(await movesOf(), before)
  })

  test('a cookie that the app sets again moves no visitor', async () => {
    const moved = await metric(balancer, 'switchyard_learned_moved_total')
    for (const visitor of visitors.slice(0, 8)) assert.is((await visit(balancer, visitor, '/renew')).slot, visitor.slot)
    await visitTwice(balancer, visitors.slice(0, 8))
    assert.is(await metric(balancer, 'switchyard_learned_moved_total'), moved)
  })

  test('an invented cookie adds no entry and always goes to the same worker', async () => {
    const kept = await metric(balancer, 'switchyard_learned_visitors')
    for (let index = 0; index < 20; index++) {
      const forged = { cookie: `connect.sid=forged-${index}` }
      const [first, second] = [await visit(balancer, forged), await visit(balancer, forged)]
      assert.is(first.slot, second.slot)
    }
    for (const value of ['', 'x'.repeat(5_000), '%00']) {
      const answer = await exchange(balancer.port, get('/', { Cookie: `connect.sid=${value}` }))
      assert.is(answer.status, 200)
    }
    // The request without a value has got its own session.
    assert.is(await metric(balancer, 'switchyard_learned_visitors'), kept + 1)
  })

  test('visitors of a killed worker go to its replacement in the same slot', async () => {
    const killed = (visitors[0] as Visitor).slot
    const { pid } = await visit(balancer, visitors[0] as Visitor)
    process.kill(pid, 'SIGKILL')
    await balancer.untilLine((line) => line.pid === pid && /ended by SIGKILL/.test(line.msg), 'the exit')
    await balancer.untilAllReady()
    const found = await visitTwice(balancer, visitors)
    for (const said of found) assert.is(said.isOwn, said.slot !== killed)
    assert.ok(found.filter(({ slot }) => slot === killed).every((said) => said.pid !== pid))
  })

  test('after a reload all visitors reach their slots', async () => {
    const before = new Set((await visitTwice(balancer, visitors)).map(({ pid }) => pid))
    const { code, err } = await runCommand(balancer, ['reload'])
    assert.is(code, 0, err)
    await balancer.untilAllReady()
    for (const { pid } of await visitTwice(balancer, visitors)) assert.not.ok(before.has(pid))
  })

  test('after an upgrade all visitors reach their slots, and new visitors are learned', async () => {
    const before = new Set((await visitTwice(balancer, visitors)).map(({ pid }) => pid))
    const old = balancer.pid
    await upgrade(balancer)
    await untilGone(old)
    for (const { pid } of await visitTwice(balancer, visitors)) assert.not.ok(before.has(pid))
    await visitTwice(balancer, await newVisitors(balancer, 4))
  })

  test.run()
}
