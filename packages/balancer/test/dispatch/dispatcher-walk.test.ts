// Random walks of a dispatcher: whatever clients, workers and reloads do, in whatever order, every connection is in one place and is served, refused or closed once.

import { leastBusy, leastInFlight, type Policy, type PolicyFunction, roundRobin } from '@switchyard/routing'
import { assert, suite } from '../../../../test/suite.ts'
import { chosenRuns, seededRandom } from '../../../../test/support/random.ts'
import type { PoolWorker } from '../../src/supervisor/pool-worker.ts'
import { channelOf, DispatchWorld, type PlainRoute } from './dispatch-world.ts'

const WALKS = chosenRuns(150)
const STEPS = 150
const WORKERS = 3
const POOLS = ['web', 'api']
const PATHS = ['/a', '/b', '/c']
const ADDRESSES = ['127.0.0.1', '127.0.0.66', '127.0.0.77']
const test = suite('dispatcher, random walks', { timeoutMs: 30_000 })

/** A policy that turns some heads down for a while. */
const moody =
  (random: () => number): PolicyFunction =>
  (candidates) =>
    random() < 0.5 ? candidates[0] : undefined

/** A policy for sessions that exist in one worker only, and wait for it. */
const atHome: Policy = {
  name: 'at home',
  pick: (candidates) => candidates.find(({ slot }) => slot === 0) ?? candidates[0],
  home: () => ({ slot: 0, generation: 0, firm: true }),
}

class Walk {
  readonly steps: string[] = []
  private readonly random: () => number
  private readonly world: DispatchWorld
  private readonly workers: PoolWorker[] = []
  private claimedByLost = 0

  constructor(seed: number) {
    this.random = seededRandom(seed)
    const queueLimit = this.whole(20)
    const pools = Object.fromEntries(POOLS.map((name) => [name, { queueLimit, concurrency: this.pick([Number.POSITIVE_INFINITY, 1, 3]) }]))
    this.world = new DispatchWorld({ window: 1 + this.whole(4), pools, routes: this.routes() })
    for (const name of POOLS) for (let slot = 0; slot < WORKERS; slot++) this.start(name, slot)
  }

  run(): void {
    for (let step = 0; step < STEPS; step++) {
      this.step()
      this.check()
    }
    this.finish()
  }

  end(): void {
    this.world.end()
  }

  private step(): void {
    const worker = this.pick(this.workers)
    const channel = channelOf(worker)
    const { load } = channel
    const what = this.whole(17)
    this.steps.push(`${what} ${worker.pool}/${worker.slot}`)
    switch (what) {
      case 0:
      case 1:
      case 2:
        return void this.world.acceptor.arrive(...Array.from({ length: 1 + this.whole(5) }, () => this.pick(PATHS)))
      case 3:
        return void this.world.acceptor.arriveFrom(this.pick(ADDRESSES), this.pick(PATHS))
      case 4:
      case 5:
        return this.claim(worker, 1 + this.whole(3))
      case 6:
        return channel.fail()
      case 7:
      case 8:
        load.unfinished = Math.max(0, load.unfinished - 1 - this.whole(3))
        return channel.turn()
      case 9:
        load.busyMs = this.pick([0, 0, 1, 50])
        load.nextInMs = load.busyMs === 1 ? this.whole(5) : Number.POSITIVE_INFINITY
        load.isOverdue = load.busyMs === 50
        return
      case 10:
      case 11:
        return this.world.look()
      case 12:
        return this.world.acceptor.hangUp(this.world.acceptor.lastFd - this.whole(20))
      case 13:
        return channel.giveBack(this.world.acceptor.fromWorker(this.pick(PATHS)))
      case 14:
        return this.replace(worker)
      case 15:
        return this.world.reroute(this.routes())
      default:
        worker.state = worker.state === 'ready' ? 'draining' : 'ready'
        this.world.pool(worker.pool).refresh()
        if (worker.state === 'draining') this.world.changes.workerDraining(worker)
        else this.world.changes.workerReady(worker)
        if (this.random() < 0.3) this.world.changes.recallAll([worker])
    }
  }

  /** `Owners` throws when a connection has two owners; this checks that none has no owner. */
  private check(): void {
    const { pools, acceptor, givenBack } = this.world
    const workers = [...pools.values()].flatMap((pool) => [...pool.workers])
    const sum = (of: readonly number[]): number => of.reduce((all, one) => all + one, 0)
    const queued = [...pools.values()].flatMap(({ queue }) => queue.length)
    const inChannels = workers.map(({ channel }) => channel.outstanding)
    const claimed = this.claimedByLost + sum(workers.map(({ channel }) => channel.claimed))
    const known = claimed + acceptor.refused.length + acceptor.dropped.length + sum(queued) + sum(inChannels)
    assert.is(acceptor.accepted + givenBack, known)
    assert.is(acceptor.watched.size, sum(queued), 'the clients of those that wait are watched, and of no others')
    for (const { queue, settings } of pools.values()) assert.ok(queue.length <= settings.queueLimit + WORKERS * 8)
    for (const { channel } of workers) {
      const { outstanding, load } = channelOf({ channel } as PoolWorker)
      assert.ok(load.handedOff - load.received <= outstanding, 'more is on its way than is out')
    }
  }

  /** The workers serve everything, so nothing is left. */
  private finish(): void {
    this.steps.push('finish')
    this.world.reroute(PATHS.map((path, index) => [path, POOLS[index % 2] as string]))
    for (const worker of this.workers) {
      worker.state = 'ready'
      Object.assign(channelOf(worker).load, { busyMs: 0, isOverdue: false, nextInMs: Number.POSITIVE_INFINITY, unfinished: 0 })
      this.world.pool(worker.pool).refresh()
      this.world.changes.workerReady(worker)
    }
    for (let round = 0; round < 200 && !this.isOver; round++) {
      for (const worker of this.workers) {
        this.claim(worker, Number.POSITIVE_INFINITY)
        channelOf(worker).load.unfinished = 0
        channelOf(worker).turn()
      }
      this.world.look()
      this.check()
    }
    assert.ok(this.isOver, 'what waits is served, and no timer is left')
    for (const { channel } of this.workers) {
      const { load, unsent } = channel as ReturnType<typeof channelOf>
      assert.equal([load.isFree, load.inFlight, unsent], [true, 0, 0])
    }
  }

  private get isOver(): boolean {
    const { pools, isQuiet } = this.world
    return isQuiet && [...pools.values()].every(({ queue }) => queue.length === 0)
  }

  private claim(worker: PoolWorker, most: number): void {
    const channel = channelOf(worker)
    channel.load.unfinished += channel.claim(most)
  }

  private replace(worker: PoolWorker): void {
    this.world.lose(worker)
    this.claimedByLost += worker.channel.claimed
    this.workers.splice(this.workers.indexOf(worker), 1)
    this.start(worker.pool, worker.slot)
  }

  private start(pool: string, slot: number): void {
    this.workers.push(this.world.add('ready', pool, slot))
  }

  private routes(): readonly PlainRoute[] {
    const policies = [leastBusy(), leastInFlight(), roundRobin(), atHome, moody(this.random)]
    return PATHS.map((path) => [path, this.pick(POOLS), this.pick(policies)])
  }

  private whole(below: number): number {
    return Math.floor(this.random() * below)
  }

  private pick<T>(all: readonly T[]): T {
    return all[this.whole(all.length)] as T
  }
}

test(`${WALKS} walks of ${STEPS} steps`, () => {
  for (let seed = 1; seed <= WALKS; seed++) {
    const walk = new Walk(seed)
    try {
      walk.run()
    } catch (error) {
      throw new Error(`walk ${seed}, after ${walk.steps.slice(-12).join(', ')}: ${(error as Error).stack}`)
    } finally {
      walk.end()
    }
  }
})

test.run()
