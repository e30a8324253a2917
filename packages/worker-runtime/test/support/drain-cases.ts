// What a drain promises whatever moves the connections, and what each channel promises besides. A suite of a channel calls it with its transport.

import { once } from 'node:events'
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import type { Transport } from '@switchyard/handoff'
import { assert, type suite } from '../../../../test/suite.ts'
import { patience } from '../../../../test/support/patience.ts'
import { seededRandom } from '../../../../test/support/random.ts'
import { until } from '../../../../test/support/until.ts'
import { SmallPrimary, type SmallWorker, type WorkerOptions } from './small-primary.ts'
import { Wire } from './wire.ts'

export interface DrainCases {
  readonly transport: Transport
  /** Do connections move to the primary? Else they end, after a response that says so or when nothing comes on them. */
  readonly moves: boolean
  readonly tls?: { readonly key: string; readonly cert: string }
  readonly rounds: number
  readonly seed: number
}

export interface Asked {
  readonly pid: string
  readonly body: string
  readonly says: string
}

const OK = /\r\n\r\nok$/

export class Client {
  readonly wire: Wire

  constructor(port: number, tls = false) {
    this.wire = new Wire(port, { tls })
  }

  write(bytes: string | Buffer): this {
    this.wire.write(bytes)
    return this
  }

  /** Sends this and resolves with what comes back until it matches. */
  async ask(bytes: string | Buffer, until: RegExp | string = OK): Promise<Asked> {
    this.wire.text = ''
    this.wire.write(bytes)
    return this.answer(until)
  }

  async answer(until: RegExp | string = OK): Promise<Asked> {
    const text = await this.wire.untilText(until)
    return {
      pid: /x-pid: (\d+)/.exec(text)?.[1] ?? '',
      body: text.slice(text.indexOf('\r\n\r\n') + 4),
      says: /\r\nConnection: ([^\r]*)/i.exec(text)?.[1] ?? '',
    }
  }
}

export function get(path: string): string {
  return `GET ${path} HTTP/1.1\r\nHost: test\r\n\r\n`
}

/** Adds the cases to a suite; gives what more cases need. */
export function drainCases(test: ReturnType<typeof suite>, cases: DrainCases): () => SmallPrimary {
  const { transport, moves, tls, rounds, seed } = cases
  let primary: SmallPrimary

  test.before(async () => {
    primary = await new SmallPrimary(transport).open()
  })

  const start = (options: WorkerOptions = {}) => primary.start({ ...options, app: { ...(tls && { tls }), ...options.app } })
  const newClient = () => new Client(primary.port, tls !== undefined)

  /** Two workers: connections go to the first, and to the second from the moment when the first drains. */
  async function pair(options: WorkerOptions = {}): Promise<{ old: SmallWorker; young: SmallWorker; drain(spreadMs?: number): void }> {
    const [old, young] = await Promise.all([start(options), start(options)])
    primary.choose = () => old
    return {
      old,
      young,
      drain(spreadMs = 0) {
        primary.choose = () => young
        old.drain({ last: false, spreadMs })
      },
    }
  }

  async function end(...workers: SmallWorker[]): Promise<void> {
    await Promise.all(workers.map((worker) => worker.kill()))
  }

  test(
    moves ? 'an idle connection moves: its next request is answered elsewhere' : 'an idle connection on which nothing comes ends',
    async () => {
      const { old, young, drain } = await pair()
      const [client, silent] = [newClient(), newClient()]
      assert.is((await client.ask(get('/'))).pid, old.pid)
      await silent.ask(get('/'))
      drain()
      if (moves) {
        await old.hears('drained')
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
        const last = await client.ask(get('/'))
        assert.is(last.pid, old.pid)
        assert.is(last.says, 'close')
        await silent.wire.untilEnd()
        assert.is(silent.wire.error, undefined)
        silent.wire.end()
        client.wire.end()
        await old.hears('drained')
      }
      assert.is(old.count('drained'), 1)
      for (const { wire } of [client, silent]) wire.destroy()
      await end(old, young)
    },
  )

  test('a request that is under way when the drain begins is answered; then its connection goes', async () => {
    const { old, young, drain } = await pair({ app: { listener: 'quick' } })
    const [held, begun] = [newClient(), newClient()]
    held.wire.write(get('/hold'))
    begun.wire.write(get('/stream'))
    await old.untilTold('held /hold')
    await old.untilTold('held /stream')
    await begun.wire.untilText('begun')
    drain()
    await old.untilTold('drains')
    old.tell('release')
    const answer = await held.answer()
    assert.is(answer.pid, old.pid)
    assert.is(answer.says, moves ? 'keep-alive' : 'close')
    await begun.answer('\r\n0\r\n\r\n')
    if (moves) {
      for (const client of [held, begun]) assert.is((await client.ask(get('/'))).pid, young.pid)
    } else {
      // Its head had said keep-alive, so it ends when nothing comes on it.
      await begun.wire.untilEnd()
      await held.wire.untilEnd()
      assert.is(begun.wire.error, undefined)
    }
    for (const { wire } of [held, begun]) wire.destroy()
    await old.hears('drained')
    await end(old, young)
  })

  test('pipelined requests that were read are answered here, all of them', async () => {
    const { old, young, drain } = await pair({ app: { listener: 'quick' } })
    const client = newClient()
    await client.ask(get('/'))
    client.wire.text = ''
    client.wire.write(get('/hold') + get('/hold') + get('/'))
    await until(() => old.told.filter((what) => what === 'held /hold').length === 2, 10_000, 'both')
    drain()
    await old.untilTold('drains')
    old.tell('release')
    const text = await client.wire.untilText(/(\r\n\r\nok[\s\S]*){3}/)
    assert.is(text.match(new RegExp(`x-pid: ${old.pid}`, 'g'))?.length, 3)
    if (moves) assert.is((await client.ask(get('/'))).pid, young.pid)
    else await client.wire.untilEnd()
    client.wire.destroy()
    await old.hears('drained')
    await end(old, young)
  })

  test('pipelined requests that come while it drains are answered, all of them', async () => {
    const { old, young, drain } = await pair({ app: { listener: 'quick' } })
    const client = newClient()
    client.wire.write(get('/hold'))
    await old.untilTold('held /hold')
    drain()
    await old.untilTold('drains')
    client.wire.write(get('/hold') + get('/hold'))
    await until(() => old.told.filter((what) => what === 'held /hold').length === 3, 10_000, 'all')
    old.tell('release')
    const text = await client.wire.untilText(/(\r\n\r\nok[\s\S]*){3}/)
    assert.is(text.match(/Connection: close/g)?.length ?? 0, moves ? 0 : 1)
    client.wire.destroy()
    await end(old, young)
  })

  test('of pipelined requests that are answered as they come only the last one says that it is', async () => {
    const { old, young, drain } = await pair({ app: { listener: 'quick' } })
    const [client, holder] = [newClient(), newClient()]
    holder.wire.write(get('/hold'))
    await old.untilTold('held /hold')
    drain()
    await old.untilTold('drains')
    // As one with a ticket, for an idle connection would have moved.
    primary.choose = () => old
    client.wire.write(get('/at-once') + get('/at-once') + get('/at-once'))
    const text = await client.wire.untilText(/(\r\n\r\nok[\s\S]*){3}/)
    assert.is(text.match(/Connection: close/g)?.length ?? 0, moves ? 0 : 1)
    for (const { wire } of [client, holder]) wire.destroy()
    await end(old, young)
  })

  test('a body that is half sent is read to its end', async () => {
    const { old, young, drain } = await pair()
    const client = newClient()
    const head = 'POST /upload HTTP/1.1\r\nHost: test\r\nContent-Length: 20\r\n\r\n'
    client.wire.write(`${head}0123456789`)
    await old.untilTold('had 10')
    drain()
    const answer = await client.ask('0123456789', /\r\n\r\n[0-9a-f]{64}$/)
    assert.is(answer.pid, old.pid)
    if (moves) assert.is((await client.ask(get('/'))).pid, young.pid)
    client.wire.destroy()
    await old.hears('drained')
    await end(old, young)
  })

  test('a body that is half sent when its answer is there already is read to its end', async () => {
    const { old, young, drain } = await pair()
    const client = newClient()
    const answer = await client.ask('POST /early HTTP/1.1\r\nHost: test\r\nContent-Length: 20\r\n\r\n0123456789', 'early')
    assert.is(answer.pid, old.pid)
    drain()
    client.wire.write('0123456789')
    if (moves) await until(() => primary.restsOf(old).length === 1, 5000, 'it has moved')
    if (moves) assert.is((await client.ask(get('/'))).pid, young.pid)
    client.wire.destroy()
    await old.hears('drained')
    await end(old, young)
  })

  test('half a head that was read is answered here when the other half has come', async () => {
    const { old, young, drain } = await pair()
    const client = newClient()
    await client.ask(get('/'))
    client.wire.text = ''
    client.wire.write('GET / HTTP/1.1\r\nHo')
    // The same worker answers another behind it: then it has read that half.
    const other = newClient()
    await other.ask(get('/'))
    await other.ask(get('/'))
    drain()
    if (moves) await until(() => primary.restsOf(old).length === 1, 5000, 'the other has moved')
    const { pid } = await client.ask('st: test\r\n\r\n')
    assert.is(pid, old.pid)
    if (moves) assert.is((await client.ask(get('/'))).pid, young.pid)
    for (const { wire } of [client, other]) wire.destroy()
    await old.hears('drained')
    await end(old, young)
  })

  const odd: Record<string, string> = {
    chunked: 'POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n',
    'not canonical': 'GET / HTTP/1.1\r\nHost:test\r\nx:   y\r\n\r\n',
    'with an empty line behind it': `${get('/')}\r\n`,
  }
  for (const [name, bytes] of Object.entries(odd)) {
    test(`a connection whose last request is ${name} goes as any other`, async () => {
      const { old, young, drain } = await pair()
      const client = newClient()
      await client.ask(bytes, /\r\n\r\n(ok|[0-9a-f]{64})$/)
      drain()
      await old.hears('drained')
      if (moves) assert.is((await client.ask(get('/'))).pid, young.pid)
      else await client.wire.untilEnd()
      client.wire.destroy()
      await end(old, young)
    })
  }

  test('a connection that ends with its last response ends, and goes nowhere', async () => {
    const { old, young, drain } = await pair()
    const asked = ['GET /hold HTTP/1.0\r\n\r\n', 'GET /hold HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n']
    const clients = asked.map((bytes) => newClient().write(bytes))
    await until(() => old.told.length === asked.length, 10_000, 'all')
    drain()
    old.tell('release')
    for (const { wire } of clients) {
      assert.match(await wire.untilEnd(), /Connection: close[\s\S]*\r\n\r\nok$/)
      wire.destroy()
    }
    await old.hears('drained')
    assert.equal(primary.restsOf(old), [])
    await end(old, young)
  })

  test('who comes while it drains is served; when nobody is left it says so once, and once more when nobody may come', async () => {
    const { old, young, drain } = await pair()
    const client = newClient()
    client.wire.write(get('/hold'))
    await old.untilTold('held /hold')
    drain()
    primary.choose = () => old
    const late = newClient()
    const answer = await late.ask(get('/'))
    assert.is(answer.pid, old.pid)
    assert.is(old.count('drained'), 0)
    primary.choose = () => young
    old.tell('release')
    await client.answer()
    if (moves) assert.is((await late.ask(get('/'))).pid, young.pid)
    for (const { wire } of [client, late]) wire.destroy()
    await old.hears('drained')
    old.drain({ last: true, spreadMs: 0 })
    await old.hears('drained', 2)
    old.send({ switchyard: 'leave' })
    await old.exited
    assert.is(old.process.signalCode, 'SIGTERM')
    await end(young)
  })

  test('where tickets may bring someone back it waits a moment before it says so', async () => {
    const routes = [{ name: '/*', match: {}, pool: 'web', ticket: { cookie: 'seat' } }]
    const { old, young, drain } = await pair({ routes })
    const begun = performance.now()
    drain()
    await old.hears('drained')
    assert.ok(performance.now() - begun >= 990)
    old.drain({ last: true, spreadMs: 0 })
    await old.hears('drained', 2)
    await end(old, young)
  })

  test('a worker without a server is drained at once', async () => {
    const worker = await start({ app: { none: true } })
    await until(async () => {
      worker.drain({ last: false, spreadMs: 5000 })
      return worker.count('drained') > 0
    })
    const before = worker.count('drained')
    worker.drain({ last: true, spreadMs: 5000 })
    await until(() => worker.count('drained') > before)
    await end(worker)
  })

  test('the connections of a server that speaks no HTTP stay until they end', async () => {
    const { old, young, drain } = await pair({ app: { net: true } })
    const client = new Client(primary.port)
    await client.ask('GET / HTTP/1.1\r\nHost: a\r\n\r\n', 'Host: a')
    drain()
    await client.ask('more', 'more')
    assert.is(old.count('drained'), 0)
    client.wire.destroy()
    await old.hears('drained')
    await end(old, young)
  })

  test('the app’s listener is called once, and the worker leaves after it', async () => {
    const { old, young, drain } = await pair({ app: { listener: 'held' } })
    drain()
    await old.untilTold('drains')
    await old.hears('drained')
    old.drain({ last: true, spreadMs: 0 })
    old.drain({ last: true, spreadMs: 0 })
    const client = newClient()
    primary.choose = () => old
    await client.ask(get('/'))
    client.wire.destroy()
    assert.is(old.count('drained'), 1)
    old.tell('release')
    await old.hears('drained', 2)
    assert.equal(old.told, ['drains', 'has drained'])
    await end(old, young)
  })

  test('what the app’s listener throws is said in the log, and nothing else', async () => {
    const { old, young, drain } = await pair({ app: { listener: 'throws' } })
    drain()
    old.drain({ last: true, spreadMs: 0 })
    await old.hears('drained')
    await until(() => old.notices.some((notice) => /^onDrain: Error: not now\n/.test(notice)))
    await old.hears('drained', 2)
    await end(old, young)
  })

  test(
    `no request is lost while worker after worker drains (seed ${seed}, ${rounds} rounds)`,
    async () => {
      const random = seededRandom(seed)
      let current = await start()
      primary.choose = () => current
      let over = false
      let answered = 0
      let movedAnswers = 0
      const faults: string[] = []
      const client = async (): Promise<void> => {
        const options = { keepAlive: true, maxSockets: 1, rejectUnauthorized: false }
        const agent = tls === undefined ? new Agent(options) : new HttpsAgent(options)
        let last = ''
        while (!over && faults.length < 5) {
          const body = random() < 0.3 ? 'x'.repeat(Math.floor(random() * 100_000)) : undefined
          try {
            const { pid, reused } = await send(primary.port, agent, body)
            answered++
            if (reused && pid !== last) movedAnswers++
            last = pid
          } catch (error) {
            faults.push(`${body === undefined ? 'GET' : `POST of ${body.length}`}: ${(error as Error).message}`)
          }
          if (random() < 0.5) await new Promise((resolve) => setTimeout(resolve, random() * 30))
        }
        agent.destroy()
      }
      const clients = Array.from({ length: 12 }, client)
      for (let round = 0; round < rounds && faults.length === 0; round++) {
        const next = await start()
        const old = current
        await new Promise((resolve) => setTimeout(resolve, random() * 50))
        current = next
        await primary.retire(old)
        const [before, deadline] = [answered, performance.now() + patience(5000)]
        await until(() => answered > before + 50 || performance.now() > deadline)
      }
      over = true
      await Promise.all(clients)
      assert.equal(faults, [])
      assert.ok(answered > rounds * 50, `${answered} answers`)
      assert.is(movedAnswers > 0, moves)
      await end(current)
    },
    { timeoutMs: 10_000 + rounds * 4_000 },
  )

  function send(port: number, agent: Agent, body: string | undefined): Promise<{ pid: string; reused: boolean }> {
    return new Promise((resolve, reject) => {
      const options = { port, host: '127.0.0.1', agent, method: body === undefined ? 'GET' : 'POST', path: '/', rejectUnauthorized: false }
      const request = (tls === undefined ? httpRequest : httpsRequest)(options, (response: IncomingMessage) => {
        const pid = String(response.headers['x-pid'])
        response.resume()
        response.once('error', reject)
        response.once('end', () => resolve({ pid, reused: request.reusedSocket }))
      })
      request.once('error', reject)
      request.end(body)
    })
  }

  return () => primary
}

/** Resolves when a stream has closed. */
export async function closed(emitter: NodeJS.EventEmitter): Promise<unknown[]> {
  return once(emitter, 'close', { signal: AbortSignal.timeout(patience(10_000)) })
}
