// The promises of a drain, common ones and those of one channel. The suite of each channel runs these cases with its transport.

import type { Transport } from '@switchyard/handoff'
import { assert, type suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { get } from './drain-client.ts'
import { drainRace } from './drain-race.ts'
import { drainReportCases } from './drain-report-cases.ts'
import { DrainWorld } from './drain-world.ts'

export interface DrainCases {
  readonly transport: Transport
  /** Do connections move to the primary? Else they end, with a response or when they are silent. */
  readonly moves: boolean
  readonly tls?: { readonly key: string; readonly cert: string }
  readonly rounds: number
  readonly seed: number
}

/** More than the kernel keeps for both sides. */
const LONG_BODY = 40 * 2 ** 20

/** Adds the cases to a suite. */
export function drainCases(test: ReturnType<typeof suite>, cases: DrainCases): void {
  const { transport, moves, tls, rounds, seed } = cases
  const world = new DrainWorld({ transport, ...(tls && { tls }) })
  const { primary } = world
  const newClient = () => world.client()

  test.before(() => primary.open())

  test(
    moves ? 'an idle connection moves: its next request is answered elsewhere' : 'an idle connection on which nothing comes ends',
    async () => {
      const { old, young, drain, end } = await world.pair()
      const [client, silent] = [newClient(), newClient()]
      assert.is((await client.ask(get('/'))).pid, old.pid)
      await silent.ask(get('/'))
      drain()
      if (moves) {
        await old.untilMessage('drained')
        assert.equal(
          primary.restsOf(old).map(({ route, restMs }) => [route, restMs]),
          [
            [0, 5000],
            [0, 5000],
          ],
        )
        const next = await client.ask(get('/'))
        assert.is(next.pid, young.pid)
        assert.is(next.says, 'keep-alive')
        assert.not.ok(client.wire.ended || silent.wire.ended)
      } else {
        // A request may overtake the order to drain.
        await until(async () => {
          const { pid, says } = await client.ask(get('/'))
          assert.is(pid, old.pid)
          return says === 'close'
        })
        await silent.wire.untilEnd()
        assert.is(silent.wire.error, undefined)
        silent.wire.end()
        client.wire.end()
        await old.untilMessage('drained')
      }
      assert.is(old.count('drained'), 1)
      for (const { wire } of [client, silent]) wire.destroy()
      await end()
    },
  )

  test('a request under way when the drain begins is answered; then its connection moves or ends', async () => {
    const { old, young, drain, end } = await world.pair({ app: { listener: 'quick' } })
    const [held, begun] = [newClient(), newClient()]
    held.wire.write(get('/hold'))
    begun.wire.write(get('/stream'))
    await old.untilAppMessage('held /hold')
    await old.untilAppMessage('held /stream')
    await begun.wire.untilText('begun')
    drain()
    await old.untilAppMessage('drains')
    old.sendToApp('release')
    const answer = await held.answer()
    assert.is(answer.pid, old.pid)
    assert.is(answer.says, moves ? 'keep-alive' : 'close')
    await begun.answer('\r\n0\r\n\r\n')
    if (moves) {
      for (const client of [held, begun]) assert.is((await client.ask(get('/'))).pid, young.pid)
    } else {
      // The head said keep-alive, so the connection ends when it is silent.
      await begun.wire.untilEnd()
      await held.wire.untilEnd()
      assert.is(begun.wire.error, undefined)
    }
    for (const { wire } of [held, begun]) wire.destroy()
    await old.untilMessage('drained')
    await end()
  })

  test('pipelined requests that were read are all answered here', async () => {
    const { old, young, drain, end } = await world.pair({ app: { listener: 'quick' } })
    const client = newClient()
    await client.ask(get('/'))
    client.wire.text = ''
    client.wire.write(get('/hold') + get('/hold') + get('/'))
    await until(() => old.appMessages.filter((what) => what === 'held /hold').length === 2, 10_000, 'both')
    drain()
    await old.untilAppMessage('drains')
    old.sendToApp('release')
    const text = await client.wire.untilText(/(\r\n\r\nok[\s\S]*){3}/)
    assert.is(text.match(new RegExp(`x-pid: ${old.pid}`, 'g'))?.length, 3)
    if (moves) assert.is((await client.ask(get('/'))).pid, young.pid)
    else await client.wire.untilEnd()
    client.wire.destroy()
    await old.untilMessage('drained')
    await end()
  })

  test('pipelined requests that come during the drain are all answered', async () => {
    const { old, drain, end } = await world.pair({ app: { listener: 'quick' } })
    const client = newClient()
    client.wire.write(get('/hold'))
    await old.untilAppMessage('held /hold')
    drain()
    await old.untilAppMessage('drains')
    client.wire.write(get('/hold') + get('/hold'))
    await until(() => old.appMessages.filter((what) => what === 'held /hold').length === 3, 10_000, 'all')
    old.sendToApp('release')
    const text = await client.wire.untilText(/(\r\n\r\nok[\s\S]*){3}/)
    assert.is(text.match(/Connection: close/g)?.length ?? 0, moves ? 0 : 1)
    client.wire.destroy()
    await end()
  })

  test('of pipelined requests only the last answer says that the connection ends', async () => {
    const { old, drain, end } = await world.pair({ app: { listener: 'quick' } })
    const [client, holder] = [newClient(), newClient()]
    holder.wire.write(get('/hold'))
    await old.untilAppMessage('held /hold')
    drain()
    await old.untilAppMessage('drains')
    // Sent with a ticket, because an idle connection would have moved.
    primary.choose = () => old
    client.wire.write(get('/at-once') + get('/at-once') + get('/at-once'))
    const text = await client.wire.untilText(/(\r\n\r\nok[\s\S]*){3}/)
    assert.is(text.match(/Connection: close/g)?.length ?? 0, moves ? 0 : 1)
    for (const { wire } of [client, holder]) wire.destroy()
    await end()
  })

  test('a half-sent body is read to its end', async () => {
    const { old, young, drain, end } = await world.pair()
    const client = newClient()
    const head = 'POST /upload HTTP/1.1\r\nHost: test\r\nContent-Length: 20\r\n\r\n'
    client.wire.write(`${head}0123456789`)
    await old.untilAppMessage('had 10')
    drain()
    const answer = await client.ask('0123456789', /\r\n\r\n[0-9a-f]{64}$/)
    assert.is(answer.pid, old.pid)
    if (moves) assert.is((await client.ask(get('/'))).pid, young.pid)
    client.wire.destroy()
    await old.untilMessage('drained')
    await end()
  })

  test('a half-sent body whose answer is already there is read to its end', async () => {
    const { old, young, drain, end } = await world.pair()
    const client = newClient()
    const answer = await client.ask('POST /early HTTP/1.1\r\nHost: test\r\nContent-Length: 20\r\n\r\n0123456789', 'early')
    assert.is(answer.pid, old.pid)
    drain()
    client.wire.write('0123456789')
    if (moves) await until(() => primary.restsOf(old).length === 1, 5000, 'it has moved')
    if (moves) assert.is((await client.ask(get('/'))).pid, young.pid)
    client.wire.destroy()
    await old.untilMessage('drained')
    await end()
  })

  test('an early answer to a long upload reaches a client that reads it behind the upload', async () => {
    const { old, drain, end } = await world.pair()
    const [client, other] = [newClient(), newClient()]
    await Promise.all([client.ask(get('/')), other.ask(get('/'))])
    drain()
    // Where connections stay, the worker has the order when it ends another one.
    if (!moves) await until(async () => (await other.ask(get('/'))).says === 'close')
    other.wire.destroy()
    const { wire } = client
    wire.text = ''
    wire.socket.pause()
    wire.write(`POST /early HTTP/1.1\r\nHost: test\r\nContent-Length: ${LONG_BODY}\r\n\r\n`)
    await new Promise((resolve) => wire.socket.write(Buffer.alloc(LONG_BODY), resolve))
    wire.socket.resume()
    assert.is((await client.answer('early')).body, 'early')
    wire.destroy()
    await old.untilMessage('drained')
    await end()
  })

  test('a request whose head was half read is answered here', async () => {
    const { old, young, drain, end } = await world.pair()
    const client = newClient()
    await client.ask(get('/'))
    client.wire.text = ''
    client.wire.write('GET / HTTP/1.1\r\nHo')
    // An answer of the same worker to another request shows that it has read that half.
    const other = newClient()
    await other.ask(get('/'))
    await other.ask(get('/'))
    drain()
    if (moves) await until(() => primary.restsOf(old).length === 1, 5000, 'the other has moved')
    const { pid } = await client.ask('st: test\r\n\r\n')
    assert.is(pid, old.pid)
    if (moves) assert.is((await client.ask(get('/'))).pid, young.pid)
    for (const { wire } of [client, other]) wire.destroy()
    await old.untilMessage('drained')
    await end()
  })

  const odd: Record<string, string> = {
    chunked: 'POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n',
    'not canonical': 'GET / HTTP/1.1\r\nHost:test\r\nx:   y\r\n\r\n',
    'with an empty line behind it': `${get('/')}\r\n`,
  }

  /** One worker drains with a connection of each kind. The connections have moved, and have the answer of another worker, or have ended. */
  async function drainOdd(): Promise<{ young: string; answeredBy: Record<string, string> }> {
    const { old, young, drain, end } = await world.pair()
    const clients = Object.entries(odd).map(([name, bytes]) => ({ name, bytes, client: newClient() }))
    await Promise.all(clients.map(({ client, bytes }) => client.ask(bytes, /\r\n\r\n(ok|[0-9a-f]{64})$/)))
    drain()
    await old.untilMessage('drained')
    const answeredBy: Record<string, string> = {}
    for (const { name, client } of clients) {
      if (moves) answeredBy[name] = (await client.ask(get('/'))).pid
      else {
        await client.wire.untilEnd()
        answeredBy[name] = 'no process'
      }
      client.wire.destroy()
    }
    await end()
    return { young: young.pid, answeredBy }
  }

  let drainedOdd: ReturnType<typeof drainOdd> | undefined
  for (const name of Object.keys(odd)) {
    test(`a connection whose last request is ${name} moves or ends as any other`, async () => {
      drainedOdd ??= drainOdd()
      const { young, answeredBy } = await drainedOdd
      assert.is(answeredBy[name], moves ? young : 'no process')
    })
  }

  test('a connection that ends with its last response does not move', async () => {
    const { old, drain, end } = await world.pair()
    const asked = ['GET /hold HTTP/1.0\r\n\r\n', 'GET /hold HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n']
    const clients = asked.map((bytes) => newClient().write(bytes))
    await until(() => old.appMessages.length === asked.length, 10_000, 'all')
    drain()
    old.sendToApp('release')
    for (const { wire } of clients) {
      assert.match(await wire.untilEnd(), /Connection: close[\s\S]*\r\n\r\nok$/)
      wire.destroy()
    }
    await old.untilMessage('drained')
    assert.equal(primary.restsOf(old), [])
    await end()
  })

  drainReportCases(test, world, moves)

  test(
    `no request is lost while worker after worker drains (seed ${seed}, ${rounds} rounds)`,
    async () => {
      const { answers, moved, faults } = await drainRace(world, { rounds, seed })
      assert.equal(faults, [])
      assert.ok(answers > rounds)
      assert.is(moved > 0, moves)
    },
    { timeoutMs: 10_000 + rounds * 4_000 },
  )
}
