// What a draining worker reports to its primary and to its app, and when. The cases of a drain include these.

import { assert, type suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { Client, get } from './drain-client.ts'
import type { DrainWorld } from './drain-world.ts'

/** Adds the cases to a suite. `moves`: connections move to the primary. */
export function drainReportCases(test: ReturnType<typeof suite>, world: DrainWorld, moves: boolean): void {
  const { primary } = world
  const newClient = () => world.client()

  test('requests during the drain are served; an empty worker reports it once, and once more when nothing may come', async () => {
    const { old, young, drain } = await world.pair()
    const client = newClient()
    client.wire.write(get('/hold'))
    await old.untilAppMessage('held /hold')
    drain()
    primary.choose = () => old
    const late = newClient()
    const answer = await late.ask(get('/'))
    assert.is(answer.pid, old.pid)
    assert.is(old.count('drained'), 0)
    primary.choose = () => young
    old.sendToApp('release')
    await client.answer()
    if (moves) assert.is((await late.ask(get('/'))).pid, young.pid)
    for (const { wire } of [client, late]) wire.destroy()
    await old.untilMessage('drained')
    old.drain({ last: true, spreadMs: 0 })
    await old.untilMessage('drained', 2)
    old.send({ switchyard: 'leave' })
    await old.exited
    assert.is(old.process.signalCode, 'SIGTERM')
  })

  test('with tickets it waits for returning visitors before it reports that it is drained', async () => {
    const routes = [{ name: '/*', match: {}, pool: 'web', ticket: { cookie: 'seat' } }]
    await Promise.all(
      [300, 1000].map(async (drainReturnMs) => {
        const worker = await world.start({ routes, start: { drainReturnMs } })
        const begun = performance.now()
        worker.drain({ last: false, spreadMs: 0 })
        await worker.untilMessage('drained')
        assert.ok(performance.now() - begun >= drainReturnMs - 10)
        worker.drain({ last: true, spreadMs: 0 })
        await worker.untilMessage('drained', 2)
        await worker.kill()
      }),
    )
  })

  test('without tickets it does not wait', async () => {
    const { old, drain, end } = await world.pair({ start: { drainReturnMs: 60_000 } })
    drain()
    await old.untilMessage('drained')
    await end()
  })

  test('a worker without a server is drained at once', async () => {
    const worker = await world.start({ app: { none: true } })
    await until(async () => {
      worker.drain({ last: false, spreadMs: 5000 })
      return worker.count('drained') > 0
    })
    const before = worker.count('drained')
    worker.drain({ last: true, spreadMs: 5000 })
    await until(() => worker.count('drained') > before)
    await worker.kill()
  })

  test('connections of a server without HTTP stay until they end', async () => {
    const { old, drain, end } = await world.pair({ app: { net: true } })
    const client = new Client(primary.port)
    await client.ask('GET / HTTP/1.1\r\nHost: a\r\n\r\n', 'Host: a')
    drain()
    await client.ask('more', 'more')
    assert.is(old.count('drained'), 0)
    client.wire.destroy()
    await old.untilMessage('drained')
    await end()
  })

  test('the app’s listener is called once, and the worker exits after it', async () => {
    const { old, drain, end } = await world.pair({ app: { listener: 'held' } })
    drain()
    await old.untilAppMessage('drains')
    await old.untilMessage('drained')
    old.drain({ last: true, spreadMs: 0 })
    old.drain({ last: true, spreadMs: 0 })
    const client = newClient()
    primary.choose = () => old
    await client.ask(get('/'))
    client.wire.destroy()
    assert.is(old.count('drained'), 1)
    old.sendToApp('release')
    await old.untilMessage('drained', 2)
    assert.equal(old.appMessages, ['drains', 'has drained'])
    await end()
  })

  test('an error of the app’s listener is logged, and has no other effect', async () => {
    const { old, drain, end } = await world.pair({ app: { listener: 'throws' } })
    drain()
    old.drain({ last: true, spreadMs: 0 })
    await old.untilMessage('drained')
    await until(() => old.notices.some((notice) => /^onDrain: Error: not now\n/.test(notice)))
    await old.untilMessage('drained', 2)
    await end()
  })
}
