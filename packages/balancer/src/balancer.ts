// The one page: listen → peek → route → pick → hand off. Everything else is behind one of these words.

import { rmSync } from 'node:fs'
import { type Arrival, type BoundListener, Door, hasNative } from '@switchyard/handoff'
import { bindPolicy, type Policy, type RouteTable, TicketSeal } from '@switchyard/routing'
import type { ServerAddress } from '@switchyard/worker-runtime'
import { BalancerError } from './errors.ts'
import { BalancerEmitter } from './events.ts'
import { addressText, openListener } from './listeners.ts'
import { Pool } from './pool/pool.ts'
import type { PoolWorker } from './pool/pool-worker.ts'
import { Settling } from './pool/settling.ts'
import { routeTable } from './route-table.ts'
import type { ListenAddress, Settings } from './settings.ts'
import type { BalancerStatus } from './status.ts'
import { Supervisor } from './supervisor/supervisor.ts'
import { findFreePort, PrivateFolder, ticketKeys, ticketRoutes } from './supervisor/worker-start.ts'

/** Where a route leads. */
interface Destination {
  readonly pool: Pool
  readonly policy: Policy
}

const QUEUE_LOOK_MS = 50

/** A load balancer in this process; there can be one. */
export class Balancer {
  readonly events = new BalancerEmitter()
  private readonly settings: Settings
  private readonly pools: Map<string, Pool>
  private readonly routes: RouteTable<Destination>
  private readonly door: Door
  private readonly settling: Settling
  private readonly supervisor: Supervisor
  private readonly folder = new PrivateFolder()
  private readonly addresses: BoundListener[] = []
  private freePort = 0
  private handedOff = 0
  private takenBack = 0
  /** Since when the connection that is being placed has waited, if it has. */
  private waitingSinceMs: number | undefined
  private queueTimer: NodeJS.Timeout | undefined
  private listening: Promise<void> | undefined
  private stopped: Promise<void> | undefined
  private settleStart: { resolve: () => void; reject: (error: Error) => void } | undefined

  constructor(settings: Settings) {
    if (!hasNative()) {
      throw new BalancerError('ERR_NO_NATIVE', 'the native channel is not built: install a C++ compiler and run npm run build', {
        source: 'system',
      })
    }
    this.settings = settings
    this.pools = new Map(settings.pools.map((pool) => [pool.name, new Pool(pool)]))
    this.routes = this.bindRoutes()
    this.door = new Door({
      ...settings.limits,
      onArrival: this.place,
      onBatchEnd: () => this.settling.flush(),
      onPause: (reason) => (reason === undefined ? this.events.emit('acceptResumed') : this.events.emit('acceptPaused', { reason })),
    })
    this.settling = new Settling({
      onReturned: (fd, tag) => this.door.readmit(fd, tag),
      onRoom: (worker) => this.hasRoom(worker),
    })
    this.supervisor = new Supervisor({
      settings,
      pools: this.pools,
      events: this.events,
      chance: Math.random,
      startData: (worker) => ({
        listen: this.listenData(),
        freePort: this.freePort,
        privateSocket: this.folder.socketOf(worker.id),
        ticketKeys: ticketKeys(settings),
        routes: ticketRoutes([...this.routes.routes, this.routes.fallback]),
      }),
      onReady: (worker, address) => this.workerReady(worker, address),
      onGone: (worker) => this.workerGone(worker),
      onFailed: (error) => this.fail(error),
    })
  }

  /** Starts the workers and resolves when every pool has one and connections are accepted. Rejects with a BalancerError; then everything is stopped. */
  async start(): Promise<void> {
    const { listen } = this.settings
    const ready = new Promise<void>((resolve, reject) => {
      this.settleStart = { resolve, reject }
    })
    try {
      if (listen === undefined) this.freePort = await findFreePort()
      else await this.listen(listen)
    } catch (error) {
      this.close()
      throw error
    }
    this.supervisor.start()
    await ready
  }

  /** Stops accepting, drains the workers, and resolves when all of them are gone. */
  stop(reason: string): Promise<void> {
    this.stopped ??= this.drain(reason)
    return this.stopped
  }

  /** Ends the drain: kills what is left. */
  stopNow(): void {
    this.supervisor.stopNow()
  }

  // ---- The way of a connection. listen and peek are the door's; here it is routed, a worker is picked, and it is handed off. ----

  private readonly place = ({ fd, tag, head }: Arrival): void => {
    const { pool, policy } = this.routes.find(head).policy
    const choice = pool.choose(policy, head)
    if (choice === 'nobody') return this.door.refuse(fd, 'no-worker', this.retryAfterS(pool))
    if (choice === 'wait' || !choice.handOff(fd, tag)) return this.wait(pool, fd, tag)
    this.settling.touch(choice)
    if (!choice.channel.hasRoom) this.settleFull(choice, pool)
  }

  // ---- Waiting for a worker ----

  private wait(pool: Pool, fd: number, tag: number): void {
    if (pool.queue.isFull) return this.door.refuse(fd, 'queue-full', this.retryAfterS(pool))
    pool.queue.add(fd, tag, this.waitingSinceMs ?? Date.now())
    this.queueTimer ??= setInterval(() => this.lookAtQueues(), QUEUE_LOOK_MS)
  }

  private lookAtQueues(): void {
    let waiting = 0
    for (const pool of this.pools.values()) {
      for (const fd of pool.queue.takeExpired(Date.now())) this.door.refuse(fd, 'queue-timeout', this.retryAfterS(pool))
      this.placeQueued(pool)
      waiting += pool.queue.length
    }
    if (waiting > 0) return
    clearInterval(this.queueTimer)
    this.queueTimer = undefined
  }

  /** Something may have changed: whoever waits is placed afresh, in order, and waits on if there is still nobody. */
  private placeQueued(pool: Pool): void {
    if (pool.queue.length === 0) return
    for (const { fd, tag, sinceMs } of pool.queue.takeAll()) {
      this.waitingSinceMs = sinceMs
      this.door.readmit(fd, tag)
    }
    this.waitingSinceMs = undefined
    this.settling.flush()
  }

  /** The window of a worker is full: perhaps it has only not been looked at. */
  private settleFull(worker: PoolWorker, pool: Pool): void {
    worker.channel.flush()
    this.settling.settle(worker)
    if (!worker.channel.hasRoom) pool.refresh()
  }

  private hasRoom(worker: PoolWorker): void {
    const pool = this.pools.get(worker.pool) as Pool
    pool.refresh()
    this.placeQueued(pool)
  }

  private retryAfterS(pool: Pool): number {
    return Math.max(1, Math.ceil(((pool.nextStartMs ?? 0) - Date.now()) / 1000))
  }

  // ---- Workers come and go ----

  private workerReady(worker: PoolWorker, address: ServerAddress): void {
    const pool = this.pools.get(worker.pool) as Pool
    pool.refresh()
    this.placeQueued(pool)
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
    } catch (error) {
      return this.fail(error as Error)
    }
    if (this.addresses.length === 0 || this.door.isAccepting || this.stopped !== undefined) return
    this.door.accept()
    this.events.emit('ready', { workers: [...this.pools.values()].reduce((sum, pool) => sum + pool.readyCount, 0) })
    this.settleStart?.resolve()
  }

  /** What the worker had not claimed is whole: its bytes are still in the kernel, so it is routed again. */
  private workerGone(worker: PoolWorker): void {
    this.settling.forget(worker)
    const back: [number, number][] = []
    worker.channel.takeBack((fd, tag) => back.push([fd, tag]))
    worker.channel.close()
    this.folder.removeSocketOf(worker.id)
    this.handedOff += worker.channel.claimed
    this.takenBack += back.length
    for (const [fd, tag] of back) this.door.readmit(fd, tag)
    this.settling.flush()
  }

  private fail(error: Error): void {
    this.events.emit('failed', { error })
    this.settleStart?.reject(error)
    this.stopped ??= this.supervisor.stop().then(() => this.close())
  }

  // ---- Start and stop ----

  private async listen(addresses: readonly ListenAddress[]): Promise<void> {
    for (const address of addresses) {
      const bound = await openListener(address)
      this.door.addListener(bound.fd, address.peek)
      this.addresses.push(bound)
      this.events.emit('listening', { address: addressText(bound) })
    }
  }

  private async drain(reason: string): Promise<void> {
    this.events.emit('draining', { reason, timeoutMs: this.settings.limits.drainTimeoutMs })
    this.settleStart?.reject(new BalancerError('ERR_APP_FAILED', `stopped while starting: ${reason}`, { source: 'system' }))
    this.door.closeListeners()
    await this.supervisor.stop()
    this.close()
    this.events.emit('stopped')
  }

  private close(): void {
    clearInterval(this.queueTimer)
    for (const pool of this.pools.values()) for (const { fd } of pool.queue.takeAll()) this.door.drop(fd)
    this.settling.stop()
    this.door.close()
    for (const { path } of this.addresses) if (path !== undefined) rmSync(path, { force: true })
    this.folder.remove()
  }

  /** The addresses as bound, so that an app that asks for port 0 is told the real one. */
  private listenData(): readonly ServerAddress[] | undefined {
    return this.addresses.length === 0 ? undefined : this.addresses.map(({ host, port, path }) => ({ host, port, path }))
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
    const { accepted, refused, closed, waiting } = this.door.counts
    let { handedOff } = this
    let [queue, offered] = [0, 0]
    const pools = [...this.pools.values()].map((pool) => {
      queue += pool.queue.length
      const workers = [...pool.workers].map((worker) => {
        handedOff += worker.channel.claimed
        offered += worker.channel.outstanding
        const { slot, generation, state, load } = worker
        const { inFlight, connections, loopLagMs, utilisation, latencyMs, memoryBytes } = load
        return {
          slot,
          generation,
          state,
          pid: worker.process?.pid ?? 0,
          restarts: this.supervisor.restarts(worker.pool, slot),
          load: { inFlight, connections, loopLagMs, utilisation, latencyMs, memoryBytes },
          handOffs: load.handedOff,
        }
      })
      return { name: pool.settings.name, ready: pool.readyCount, desired: pool.settings.workers, workers }
    })
    return {
      addresses: this.addresses.map(addressText),
      accepting: this.door.isAccepting,
      connections: { accepted, handedOff, refused: { ...refused }, closed, waiting: { head: waiting, queue, offered } },
      handOffs: { takenBack: this.takenBack },
      pools,
    }
  }
}
