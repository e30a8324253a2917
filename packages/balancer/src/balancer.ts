// The one page: listen → peek → route → pick → hand off. Everything else is behind one of these words.

import { setTimeout } from 'node:timers/promises'
import {
  type Arrival,
  type Connection,
  type Door,
  HERE,
  LATER,
  NOBODY,
  type Passed,
  type Question,
  type Transport,
  unpackRest,
  type Verdict,
} from '@switchyard/handoff'
import { bindPolicy, type Policy, RequestHead, type RouteTable, TicketSeal } from '@switchyard/routing'
import type { ServerAddress } from '@switchyard/worker-runtime'
import { BalancerError } from './errors.ts'
import { BalancerEmitter } from './events.ts'
import { Listeners } from './listeners.ts'
import { Moves } from './moves.ts'
import type { OperationResult } from './operations.ts'
import { Pool } from './pool/pool.ts'
import type { PoolWorker } from './pool/pool-worker.ts'
import { Recall } from './pool/recall.ts'
import { Settling } from './pool/settling.ts'
import { Waiting } from './pool/waiting.ts'
import { readStatus } from './read-status.ts'
import { routeTable } from './route-table.ts'
import type { ListenAddress, Settings } from './settings.ts'
import type { BalancerStatus } from './status.ts'
import { Supervisor } from './supervisor/supervisor.ts'
import { findFreePort, PrivateFolder, type SharedStart, sharedStart } from './supervisor/worker-start.ts'
import { chooseTransport, portableNotice } from './transport.ts'
import { Accession } from './upgrade/accession.ts'
import { Estate } from './upgrade/estate.ts'
import type { Inheritance } from './upgrade/inheritance.ts'
import { legacyOf } from './upgrade/legacy.ts'
import { Succession } from './upgrade/succession.ts'

/** Where a route leads. */
interface Destination {
  readonly pool: Pool
  readonly policy: Policy
}

/** Where a connection comes from that is placed: from outside, from a worker that could not have it or was stuck, from the queue, or from the primary before. */
type Origin = 'client' | 'returned' | 'recalled' | 'queue' | 'predecessor'

/** For how long the workers of a successor have to stay up before it takes over. */
const SETTLE_MS = 1500
const BEGUN_LOOK_MS = 20

/** A load balancer in this process; there can be one. */
export class Balancer {
  readonly events = new BalancerEmitter()
  private readonly settings: Settings
  private readonly transport: Transport
  private readonly pools: Map<string, Pool>
  private readonly routes: RouteTable<Destination>
  private readonly door: Door
  private readonly settling: Settling
  private readonly supervisor: Supervisor
  private readonly folder = new PrivateFolder()
  private readonly moves: Moves
  private readonly shared: SharedStart
  /** What goes to a successor beside the listeners. */
  readonly estate = new Estate()
  private readonly listeners: Listeners
  private readonly succession: Succession
  /** While this is a successor, and its predecessor is there. */
  private readonly accession: Accession | undefined
  private readonly waiting: Waiting
  private readonly recall: Recall
  private origin: Origin = 'client'
  private freePort = 0
  private listening: Promise<void> | undefined
  private stopped: Promise<void> | undefined
  private settleStart: { resolve: () => void; reject: (error: Error) => void } | undefined

  /** `inheritance`: what this process was started with, when somebody has looked. */
  constructor(settings: Settings, inheritance?: Inheritance) {
    this.settings = settings
    this.listeners = new Listeners(inheritance?.sockets)
    this.transport = chooseTransport(process.env)
    this.pools = new Map(settings.pools.map((pool) => [pool.name, new Pool(pool)]))
    this.routes = this.bindRoutes()
    const routes = [...this.routes.routes, this.routes.fallback]
    this.moves = new Moves(routes.map(({ name }) => name))
    this.shared = sharedStart(settings, routes)
    this.door = this.transport.openDoor({
      ...settings.limits,
      onArrival: (arrival) => this.place(arrival),
      onLeft: (fd) => {
        if (this.waiting.left(fd)) this.door.drop(fd)
      },
      onBatchEnd: () => this.settling.flush(),
      onPause: (reason) => (reason === undefined ? this.events.emit('acceptResumed') : this.events.emit('acceptPaused', { reason })),
    })
    this.settling = new Settling({
      onReturned: (connection) => this.readmit(connection, 'returned'),
      onRoom: (worker) => this.hasRoom(worker),
      onUnclaimed: (worker) => this.recall.note(this.poolOf(worker), worker),
    })
    this.recall = new Recall({ place: (connection) => this.readmit(connection, 'recalled') })
    this.waiting = new Waiting({
      pools: () => this.pools.values(),
      refuse: (pool, fd, reason) => this.door.refuse(fd, reason, this.retryAfterS(pool)),
      place: ({ connection, waitFor }) => this.readmit(connection, waitFor === 'recalled' ? 'recalled' : 'queue'),
      watch: (fd) => this.door.watchLeaving(fd),
      unwatch: (fd) => this.door.unwatchLeaving(fd),
      flush: () => this.settling.flush(),
    })
    this.supervisor = new Supervisor({
      settings,
      transport: this.transport,
      pools: this.pools,
      events: this.events,
      chance: Math.random,
      startData: (worker) => ({
        listen: this.listeners.addresses,
        freePort: this.freePort,
        privateSocket: this.folder.socketFor(worker.id),
        ...this.shared,
      }),
      generationOf: (pool) => this.accession?.generationOf(pool) ?? 0,
      returns: {
        onGivenBack: (_worker, connection, reason) => {
          if (this.moves.countGivenBack(reason) === 'rest') this.rest(connection, unpackRest(connection.carried))
          else this.door.takeIn(connection)
        },
        onAsked: (worker, question) => {
          this.moves.countForwarded(question.reason)
          worker.channel.answer(question, this.judge(worker, question))
          this.settling.touch(worker)
        },
        onTurned: (worker) => this.turned(this.poolOf(worker)),
        onBatchEnd: () => this.settling.flush(),
      },
      onReady: (worker, address) => this.workerReady(worker, address),
      onGone: (worker) => this.workerGone(worker),
      onFailed: (error) => this.fail(error),
    })
    const shared = {
      transport: this.transport,
      door: this.door,
      events: this.events,
      pools: () => this.pools.values(),
      takeIn: (passed: Passed) => this.takePassed(passed),
      onBatchEnd: () => this.settling.flush(),
    }
    const { predecessor, sockets } = inheritance ?? {}
    if (predecessor !== undefined && sockets !== undefined) {
      const { startTimeoutMs } = settings.limits
      this.accession = new Accession({ ...shared, predecessor, sockets, startTimeoutMs, settleMs: SETTLE_MS })
      this.freePort = predecessor.bequest.freePort
    }
    this.succession = new Succession({
      ...shared,
      estate: this.estate,
      sockets: () => this.listeners.bequeathed(this.door),
      legacy: () => legacyOf(this.settings, this.pools.values(), this.freePort, this.accession),
      startTimeoutMs: () => this.settings.limits.startTimeoutMs,
      obstacle: () => this.obstacle(),
      onTaken: (numbers) => this.listeners.keepFiles(numbers),
      leave: () => {
        // Who hears of the drain may ask for it again at once.
        this.stopped ??= Promise.resolve().then(() => this.drain('upgrade'))
      },
    })
  }

  /** Starts the workers and resolves when every pool has one (a successor: all of them) and connections are accepted. Rejects with a BalancerError; then everything is stopped. */
  async start(): Promise<void> {
    const { listen } = this.settings
    if (this.transport.kind === 'portable') this.events.emit('portableChosen', { message: portableNotice(process.env) })
    const ready = new Promise<void>((resolve, reject) => {
      this.settleStart = { resolve, reject }
    })
    // A stop while the addresses are looked up rejects it before anybody waits for it.
    ready.catch(() => {})
    try {
      if (listen !== undefined) await this.listen(listen)
      else if (this.freePort === 0) this.freePort = await findFreePort()
    } catch (error) {
      this.close()
      throw error
    }
    this.supervisor.start()
    await ready
  }

  /** Stops accepting, drains the workers, and resolves when all of them are gone. */
  stop(reason: string): Promise<void> {
    this.succession.cancel()
    this.stopped ??= this.drain(reason)
    return this.stopped
  }

  /** Starts a successor of this primary and leaves when that serves. Rejects with ERR_UPGRADE_FAILED (everything is as before) or ERR_BUSY. */
  upgrade(): Promise<OperationResult> {
    return this.succession.upgrade()
  }

  /** Ends the drain: kills what is left. */
  stopNow(): void {
    this.supervisor.stopNow()
  }

  // ---- The way of a connection. listen and peek are the door's; here it is routed, a worker is picked, and it is handed off. ----

  private place(arrival: Arrival): void {
    const { fd, head } = arrival
    const { pool, policy } = this.routes.find(head).policy
    // First in, first out: whoever waits goes before whoever comes.
    if (this.origin === 'client' && pool.queue.waitingForLoop > 0) this.waiting.placeForLoop(pool)
    if (this.accession?.isSharing === true && this.passBack(arrival, pool, policy)) return
    const choice = pool.choose(policy, head, this.origin === 'recalled')
    if (this.succession.isPassing && typeof choice === 'string' && choice !== 'home') return this.passOn(arrival)
    if (choice === 'nobody') return this.door.refuse(fd, 'no-worker', this.retryAfterS(pool))
    if (typeof choice === 'string') return this.waiting.add(pool, arrival, choice)
    if (!choice.handOff(arrival, policy.binds?.(head) ?? true)) return this.waiting.add(pool, arrival, 'loop')
    this.waiting.found(fd)
    this.settling.touch(choice)
    if (!choice.channel.hasRoom) this.settleFull(choice, pool)
  }

  /** An idle connection comes back from a worker. */
  private rest(connection: Connection, timeoutMs: number | undefined): void {
    if (!this.succession.isPassing) return this.door.rest(connection, timeoutMs)
    this.door.counts.givenBack++
    this.succession.pass({ connection, rest: { timeoutMs } })
  }

  /** Is it of a visitor whom a worker of the predecessor knows? Then it goes there. */
  private passBack(arrival: Arrival, pool: Pool, policy: Policy): boolean {
    if (this.origin !== 'client') return false
    return this.accession?.passBack(arrival, pool.settings.name, policy.home?.(arrival.head)?.generation) ?? false
  }

  /** Nobody here is to have it: the successor is. */
  private passOn({ fd, tag, carried }: Connection): void {
    this.waiting.found(fd)
    this.succession.pass({ connection: { fd, tag, carried }, isFinal: true })
  }

  /** Another primary passes a connection to this one. */
  private takePassed({ connection, rest, isFinal = false }: Passed): void {
    if (rest !== undefined) return this.rest(connection, rest.timeoutMs)
    const before = this.origin
    if (isFinal) this.origin = 'predecessor'
    this.door.takeIn(connection)
    this.origin = before
  }

  /** Routes a connection again that has been here before; its head is read afresh. */
  private readmit(connection: Connection, origin: Origin): void {
    const before = this.origin
    this.origin = origin
    this.door.readmit(connection)
    this.origin = before
  }

  /** The loop of a worker has turned, and somebody waits for that. */
  private turned(pool: Pool): void {
    this.recall.relieve(pool)
    this.waiting.placeForLoop(pool)
  }

  /** Who should have a request whose connection can't move: the same route and policy, but the worker that asks forwards it. */
  private judge(asker: PoolWorker, { head: bytes, address, avoid }: Question): Verdict {
    const head = RequestHead.read(bytes, bytes.length, bytes.length)
    if (head.outcome !== 'complete') return HERE
    head.remoteAddress = address === '' ? undefined : address
    const { pool, policy } = this.routes.find(head).policy
    const choice = pool.chooseNow(policy, head)
    if (choice === 'nobody') return NOBODY
    if (typeof choice === 'string' || choice.id === avoid) return LATER
    return choice === asker ? HERE : choice.id
  }

  /** The window of a worker is full: perhaps it has only not been looked at. */
  private settleFull(worker: PoolWorker, pool: Pool): void {
    worker.channel.flush()
    this.settling.settle(worker)
    if (!worker.channel.hasRoom) pool.refresh()
  }

  private poolOf(worker: PoolWorker): Pool {
    return this.pools.get(worker.pool) as Pool
  }

  private hasRoom(worker: PoolWorker): void {
    const pool = this.poolOf(worker)
    pool.refresh()
    this.waiting.place(pool)
  }

  private retryAfterS(pool: Pool): number {
    return Math.max(1, Math.ceil(((pool.nextStartMs ?? 0) - Date.now()) / 1000))
  }

  // ---- Workers come and go ----

  private workerReady(worker: PoolWorker, address: ServerAddress): void {
    const pool = this.poolOf(worker)
    pool.refresh()
    this.waiting.place(pool)
    const isDefault = worker.pool === this.settings.pools[0]?.name
    if (this.settings.listen === undefined && isDefault && this.listening === undefined) {
      const { host, port, path } = address
      this.listening = this.listen([{ host, port, path, ipv6Only: false, backlog: 511, peek: true }])
    }
    void this.accept()
  }

  /** Accepts as soon as every pool has a worker. */
  private async accept(): Promise<void> {
    if (this.door.isAccepting || this.stopped !== undefined) return
    if ([...this.pools.values()].some((pool) => pool.readyCount === 0)) return
    try {
      await this.listening
      if (this.listeners.addresses !== undefined) await this.accession?.admission()
    } catch (error) {
      return this.fail(error as Error)
    }
    if (this.listeners.addresses === undefined || this.door.isAccepting || this.stopped !== undefined) return
    this.door.accept()
    this.accession?.begun(this.listeners.numbers)
    this.events.emit('ready', { workers: [...this.pools.values()].reduce((sum, pool) => sum + pool.readyCount, 0) })
    this.settleStart?.resolve()
  }

  /** Why there can be no upgrade at this moment. */
  private obstacle(): string | undefined {
    if (this.stopped !== undefined) return 'this primary stops'
    if (!this.door.isAccepting) return 'this primary is still starting'
    return this.accession?.isUnderWay ? 'the primary before this one has not left yet' : undefined
  }

  /** What the worker had not claimed is whole: its bytes are still in the kernel, so it is routed again. */
  private workerGone(worker: PoolWorker): void {
    const pool = this.poolOf(worker)
    const { past } = pool
    this.settling.forget(worker)
    this.recall.forget(pool, worker)
    const back: Connection[] = []
    worker.channel.hearOut()
    worker.channel.takeBack((connection) => back.push(connection))
    worker.channel.close()
    this.folder.removeSocketsOf(worker.id)
    past.claimed += worker.channel.claimed
    past.boardFaults += worker.load.faults
    past.takenBack += back.length + worker.recalled
    for (const connection of back) this.readmit(connection, 'returned')
    this.settling.flush()
  }

  private fail(error: Error): void {
    this.events.emit('failed', { error })
    this.settleStart?.reject(error)
    this.stopped ??= this.supervisor.stop().then(() => this.close())
  }

  // ---- Start and stop ----

  private async listen(addresses: readonly ListenAddress[]): Promise<void> {
    await this.listeners.open(addresses, this.door, (address) => this.events.emit('listening', { address }))
  }

  private async drain(reason: string): Promise<void> {
    this.events.emit('draining', { reason, timeoutMs: this.settings.limits.drainTimeoutMs })
    this.settleStart?.reject(new BalancerError('ERR_APP_FAILED', `stopped while starting: ${reason}`, { source: 'system' }))
    if (this.succession.isPassing) await this.leave()
    else {
      this.door.closeListeners()
      this.door.closeResting()
      if (this.succession.hasSuccessor) await this.untilBegun()
      await this.supervisor.stop()
    }
    this.close()
    this.events.emit('stopped')
  }

  /** The successor gets what has not begun, and what is idle. What has begun ends here. */
  private async leave(): Promise<void> {
    const gone = this.supervisor.stop()
    this.door.closeListeners()
    this.succession.passAll()
    for (const pool of this.pools.values()) for (const worker of pool.workers) this.recall.all(worker)
    await gone
    await this.succession.end()
  }

  /** No connection can be passed on: workers take what is here already before they drain, or until the deadline. */
  private async untilBegun(): Promise<void> {
    const deadline = Date.now() + this.settings.limits.drainTimeoutMs
    const isWaiting = ({ head, queue, offered }: BalancerStatus['connections']['waiting']) => head + queue + offered > 0
    while (isWaiting(this.status().connections.waiting) && Date.now() < deadline) await setTimeout(BEGUN_LOOK_MS)
  }

  private close(): void {
    this.accession?.end()
    this.waiting.stop()
    for (const pool of this.pools.values()) for (const { fd } of pool.queue.takeAll()) this.door.drop(fd)
    this.settling.stop()
    this.door.close()
    this.listeners.removeFiles()
    this.folder.remove()
  }

  private bindRoutes(): RouteTable<Destination> {
    const seal = new TicketSeal(this.settings.ticketKeys)
    return routeTable(this.settings, (policy, pool, route) => {
      const onError = (error: unknown) => this.events.emit('policyFailed', { route, error })
      return { pool: this.pools.get(pool) as Pool, policy: bindPolicy(policy, { pool, seal, now: Date.now, onError }) }
    })
  }

  /** Everything that can be told of this moment. */
  status(): BalancerStatus {
    return readStatus({
      channel: this.transport.kind,
      door: this.door,
      pools: this.pools.values(),
      moves: this.moves,
      addresses: this.listeners.texts,
      restarts: this.supervisor,
      passed: this.succession.passedOn + (this.accession?.passedBack ?? 0),
    })
  }
}
