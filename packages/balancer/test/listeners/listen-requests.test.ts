// Answers to workers whose servers listen and close, with a fake acceptor.

import { constants } from 'node:os'
import type { Acceptor, BoundListener, ListenerAddress } from '@switchyard/handoff'
import type { ListenAnswer, ListenRequest } from '@switchyard/worker-runtime'
import { assert, suite } from '../../../../test/suite.ts'
import { until } from '../../../../test/support/until.ts'
import { defaultLimits } from '../../src/config/limit-options.ts'
import { BalancerEmitter } from '../../src/events.ts'
import type { ListenAddress } from '../../src/listener-settings.ts'
import { FreePorts } from '../../src/listeners/free-ports.ts'
import { ListenRequests } from '../../src/listeners/listen-requests.ts'
import { Listeners } from '../../src/listeners/listeners.ts'
import { WorkerServers } from '../../src/listeners/worker-servers.ts'
import type { Settings } from '../../src/settings.ts'
import type { PoolWorker } from '../../src/supervisor/pool-worker.ts'

const test = suite('listen requests')
const { EADDRINUSE, EACCES } = constants.errno

/** Records its calls. A port is in use if the test puts it into `taken`. Ports that the kernel would choose begin at 40000. */
class FakeAcceptor {
  readonly opened: ListenerAddress[] = []
  readonly closed: number[] = []
  readonly admitted: number[] = []
  readonly peeks: Record<number, boolean> = {}
  readonly served: Record<number, string | undefined> = {}
  readonly taken = new Set<number>()
  readonly listening = []
  isAccepting = false
  private chosen = 40_000

  async listen(address: ListenerAddress): Promise<BoundListener> {
    if (this.taken.has(address.port ?? 0)) throw Object.assign(new Error('bind'), { code: 'EADDRINUSE' })
    this.opened.push(address)
    const { host, path } = address
    const port = path === undefined ? address.port || this.chosen++ : undefined
    return { host: path === undefined ? (host ?? '::') : undefined, port, path, number: this.opened.length - 1 }
  }

  closeListener(number: number): void {
    this.closed.push(number)
  }

  acceptOn(number: number): void {
    this.admitted.push(number)
  }

  setPeek(number: number, peek: boolean): void {
    this.peeks[number] = peek
  }

  setServed(number: number, served: string | undefined): void {
    this.served[number] = served
  }
}

interface Changes {
  readonly listen?: readonly Partial<ListenAddress>[]
  readonly unbalanced?: readonly Partial<ListenAddress>[]
  readonly pools?: readonly string[]
  readonly maxListeners?: number
  readonly listenerGraceMs?: number
  readonly freePorts?: FreePorts
}

async function opened({ listen = [], unbalanced = [], pools = ['web'], freePorts = new FreePorts(), ...limits }: Changes = {}) {
  const acceptor = new FakeAcceptor()
  const events = new BalancerEmitter()
  const lines: string[] = []
  events.on('workerNoticed', ({ message }) => lines.push(message))
  events.on('listening', ({ address }) => lines.push(`listening on ${address}`))
  events.on('listenerClosed', ({ address }) => lines.push(`closed ${address}`))
  const plain = { host: undefined, port: undefined, path: undefined, ipv6Only: false, backlog: 511, peek: undefined }
  const settings = {
    unbalanced: unbalanced.map((address) => ({ ...plain, ...address })),
    pools: pools.map((name) => ({ name })),
    limits: { ...defaultLimits, ...limits },
  } as unknown as Settings
  const listeners = new Listeners()
  const fakeAcceptor = acceptor as unknown as Acceptor
  await listeners.open(
    listen.map((address) => ({ ...plain, ...address })),
    fakeAcceptor,
    () => {},
  )
  const recalled: PoolWorker[] = []
  const servers = new WorkerServers()
  const served: Record<string, readonly number[]> = {}
  const requests = new ListenRequests({
    ...{ listeners, acceptor: fakeAcceptor, events, freePorts, servers },
    settings: () => settings,
    onChanged: ({ pool }, numbers) => {
      served[pool] = numbers
    },
    onClosed: (worker) => recalled.push(worker),
  })
  const poolFor = (number: number, pool: string) => servers.poolFor(listeners.get(number), pool, settings.pools)
  return { acceptor, lines, listeners, requests, recalled, freePorts, poolFor, served }
}

type World = Awaited<ReturnType<typeof opened>>

function workerOf({ requests }: World, changes: { state?: PoolWorker['state']; pool?: string; uid?: number } = {}) {
  const { state = 'starting', pool = 'web', uid } = changes
  const worker = {
    state,
    pool,
    settings: { uid, listens: true },
    listeners: new Set(),
    hasClosed: false,
    workerSlot: {},
  } as unknown as PoolWorker
  let lastId = 0
  const ask = (request: ListenRequest): Promise<ListenAnswer> => requests.answer(worker, request)
  return {
    worker,
    async listen(request: Partial<Extract<ListenRequest, { ask: 'listen' }>>) {
      const defaults = { ask: 'listen', kind: 'http', ipv6Only: false, reusePort: false, backlog: undefined, mode: 0o755 } as const
      const id = ++lastId
      return { id, ...(await ask({ ...defaults, id, ...request })) } as { id: number; errno?: number; shared?: true } & Record<
        string,
        unknown
      >
    },
    close: (id: number) => ask({ ask: 'close', id }),
    become(next: PoolWorker['state']) {
      worker.state = next
      if (next === 'ready') requests.admit(worker)
      if (next === 'gone') requests.forget(worker)
    },
  }
}

test('workers that ask for the same address at the same time share one listener', async () => {
  const world = await opened()
  const [one, two] = [workerOf(world), workerOf(world)]
  const answers = await Promise.all([one.listen({ port: 3000, backlog: 7 }), two.listen({ host: '::', port: 3000 })])
  assert.equal(
    answers.map(({ listener }) => listener),
    [0, 0],
  )
  assert.equal(world.acceptor.opened.length, 1)
  assert.equal(world.acceptor.opened[0]?.backlog, 7)
  assert.equal((await one.listen({ host: '127.0.0.1', port: 3000 })).listener, 1)
})

test('the options of a server reach the kernel', async () => {
  const world = await opened()
  const worker = workerOf(world)
  await worker.listen({ host: '::', port: 3000, ipv6Only: true, reusePort: true, backlog: 12 })
  await worker.listen({ path: '/run/app.sock', mode: 0o700 })
  const [port, path] = world.acceptor.opened
  assert.equal([port?.host, port?.ipv6Only, port?.reusePort, port?.backlog], ['::', true, true, 12])
  assert.equal([path?.path, path?.mode, path?.backlog], ['/run/app.sock', 0o700, 511])
})

test('a second server of a worker on the same address gets EADDRINUSE unless it sets reusePort', async () => {
  const world = await opened()
  const worker = workerOf(world)
  await worker.listen({ port: 3000 })
  assert.is((await worker.listen({ port: 3000 })).errno, -EADDRINUSE)
  await worker.listen({ port: 3001, reusePort: true })
  assert.is((await worker.listen({ port: 3001, reusePort: true })).errno, undefined)
})

test('a bind that only listeners of other workers prevent shares their listener', async () => {
  const world = await opened()
  const [one, two] = [workerOf(world), workerOf(world)]
  await one.listen({ port: 3000 })
  world.acceptor.taken.add(3000)
  const { id, listener, errno } = await two.listen({ host: '127.0.0.1', port: 3000 })
  assert.equal([listener, errno], [0, undefined])
  await two.close(id)
  assert.is((await one.listen({ host: '127.0.0.1', port: 3000 })).errno, -EADDRINUSE)
  await two.listen({ host: '0.0.0.0', port: 3000 })
  await until(() => world.lines.length > 0)
  assert.match(world.lines[0] ?? '', /0\.0\.0\.0:3000 gets connections of \[::\]:3000/)
})

test('the worker gets the error of the kernel', async () => {
  const world = await opened()
  world.acceptor.taken.add(3000)
  assert.is((await workerOf(world).listen({ port: 3000 })).errno, -EADDRINUSE)
  assert.match(world.requests.errorOf('web')?.message ?? '', ':3000 is in use')
})

test('any port: the first servers of all workers share one port, the second another, also in a new primary', async () => {
  const world = await opened()
  const [one, two] = [workerOf(world), workerOf(world)]
  const ports = async (worker: typeof one, count: number) => {
    const all = []
    for (let turn = 0; turn < count; turn++) all.push(((await worker.listen({ port: 0 })).address as { port: number }).port)
    return all
  }
  assert.equal(
    [await ports(one, 2), await ports(two, 3)],
    [
      [40_000, 40_001],
      [40_000, 40_001, 40_002],
    ],
  )
  const next = await opened({ freePorts: new FreePorts(world.freePorts.entries) })
  assert.equal(await ports(workerOf(next), 3), [40_000, 40_001, 40_002])
})

test('any port: a remembered port that is in use is replaced', async () => {
  const freePorts = new FreePorts({ '* 1': 5000 })
  const world = await opened({ freePorts })
  world.acceptor.taken.add(5000)
  const { address } = await workerOf(world).listen({ port: 0 })
  assert.equal([address, freePorts.get('* 1')], [{ host: '::', port: 40_000, path: undefined }, 40_000])
})

test('a listener stays open while another worker has a server for it, and when a draining worker closes its own', async () => {
  const world = await opened()
  const [one, two] = [workerOf(world), workerOf(world)]
  const [first, second] = [await one.listen({ port: 3000 }), await two.listen({ port: 3000 })]
  await one.listen({ port: 3001 })
  await two.listen({ port: 3001 })
  for (const worker of [one, two]) worker.become('ready')
  await one.close(first.id)
  assert.equal(world.acceptor.closed, [])
  assert.equal([...one.worker.listeners], [1])
  assert.equal(world.recalled, [one.worker])
  two.become('draining')
  await two.close(second.id)
  assert.equal(world.acceptor.closed, [])
})

test('a server that only tests whether a port is free leaves no listener and no log line', async () => {
  const world = await opened()
  const worker = workerOf(world)
  const { id } = await worker.listen({ port: 3000, kind: 'net' })
  await worker.close(id)
  assert.equal([world.acceptor.closed, world.listeners.texts], [[0], []])
  worker.become('ready')
  assert.equal(world.lines, [])
})

test('a listener is closed after the grace period when no worker opens it again, but not while the worker is being replaced', async () => {
  const world = await opened({ listenerGraceMs: 20 })
  const [old, only] = [workerOf(world), workerOf(world)]
  await old.listen({ port: 3000 })
  await old.listen({ port: 3001 })
  old.become('ready')
  old.become('gone')
  await only.listen({ port: 3000 })
  // No ready worker could have opened it yet.
  assert.equal(world.acceptor.closed, [])
  only.become('ready')
  await until(() => world.acceptor.closed.length > 0)
  assert.equal([world.acceptor.closed, world.listeners.texts], [[1], ['[::]:3000']])
  assert.ok(world.lines.includes('closed [::]:3001'))
})

test('the listener of a removed pool is closed', async () => {
  const world = await opened({ pools: ['web'], listenerGraceMs: 0 })
  const worker = workerOf(world, { pool: 'gone' })
  await worker.listen({ port: 3000 })
  worker.become('ready')
  worker.become('gone')
  await until(() => world.acceptor.closed.length > 0)
})

test('listeners of net servers are not peeked at unless the config says so', async () => {
  const world = await opened({ listen: [{ port: 1 }, { port: 2, peek: true }, { port: 3, peek: false }] })
  const worker = workerOf(world)
  for (const [port, kind] of [
    [1, 'net'],
    [2, 'net'],
    [3, 'http'],
    [4, 'net'],
    [5, 'tls'],
    [6, 'http'],
    [7, 'http2'],
  ] as const)
    await worker.listen({ port, kind })
  assert.equal(world.acceptor.peeks, { 0: false, 1: true, 2: false, 3: false, 4: true, 5: true, 6: true })
  assert.equal([world.acceptor.served[5], world.acceptor.served[6]], [undefined, 'http2'])
})

test('an address in `unbalanced` is not balanced; one line says so for all workers', async () => {
  const world = await opened({ unbalanced: [{ port: 9464 }] })
  for (let turn = 0; turn < 3; turn++) assert.is((await workerOf(world).listen({ port: 9464 })).shared, true)
  assert.is(world.lines.length, 1)
  assert.match(world.lines[0] ?? '', /:9464 is not balanced/)
})

test('there are never more than maxListeners listeners', async () => {
  const world = await opened({ maxListeners: 2 })
  const worker = workerOf(world)
  for (const port of [1, 2]) assert.is((await worker.listen({ port })).shared, undefined)
  assert.is((await worker.listen({ port: 3 })).shared, true)
  assert.match(world.lines[0] ?? '', 'maxListeners')
})

test('a worker of another user gets no low port and no path unless the config names it', async () => {
  const other = (process.getuid?.() ?? 0) + 1
  const world = await opened({ listen: [{ port: 80 }] })
  const worker = workerOf(world, { uid: other })
  assert.is((await worker.listen({ port: 80 })).errno, undefined)
  assert.is((await worker.listen({ port: 81 })).errno, -EACCES)
  assert.is((await worker.listen({ path: '/run/app.sock' })).errno, -EACCES)
  assert.is((await worker.listen({ port: 3000 })).errno, undefined)
})

test('a stand-in server gets its own address when another server asks for that of the config', async () => {
  const world = await opened({ listen: [{ host: '127.0.0.1', port: 8080 }] })
  const worker = workerOf(world)
  const metrics = await worker.listen({ port: 9464 })
  assert.equal([metrics.listener, metrics.standsIn, metrics.isMain], [0, true, true])
  const { moved, ...main } = await worker.listen({ port: 8080 })
  assert.equal([main.listener, main.standsIn, main.isMain], [0, false, true])
  assert.equal(moved, {
    ...{ id: metrics.id, listener: 1, standsIn: false, isMain: false },
    address: { host: '::', port: 9464, path: undefined },
  })
  assert.equal([...worker.worker.listeners], [0, 1])
})

test('connections that match no route go to the first pool, or to the first whose app listens there', async () => {
  const world = await opened({ pools: ['web', 'api', 'more'] })
  await workerOf(world).listen({ port: 1 })
  for (const pool of ['more', 'api']) await workerOf(world, { pool }).listen({ port: 2 })
  const { poolFor, served } = world
  assert.equal([poolFor(0, 'web'), poolFor(1, 'web'), poolFor(7, 'web')], ['web', 'api', 'web'])
  assert.equal(served, { web: [0], api: [1], more: [1] })
})

test.run()
