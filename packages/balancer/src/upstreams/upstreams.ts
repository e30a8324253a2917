// The upstream servers of all pools, as the primary keeps them: their slots, their addresses, which of them are out of service, and what the proxy workers
// report of them. The proxy workers are told of each change, and a new one at its start.

import { setTimeout as wait } from 'node:timers/promises'
import type { UpstreamStart } from '@switchyard/worker-runtime'
import type { DecisionLog } from '../decisions/decision-log.ts'
import type { BalancerEmitter } from '../events.ts'
import type { PoolSettings, Settings } from '../settings.ts'
import type { StateTransfer } from '../state-transfer.ts'
import type { UpstreamServerStatus } from '../status.ts'
import type { PoolWorker } from '../supervisor/pool-worker.ts'
import type { WorkerMessages } from '../supervisor/worker-messages.ts'
import { upstreamStart } from '../upstream-settings.ts'
import type { VisitorEntry } from '../visitors/visitor-table.ts'
import { nameResolver } from './name-resolver.ts'
import { NamedServers } from './named-servers.ts'
import type { FailedExchanges } from './server-counts.ts'
import { decisionOf } from './server-decision.ts'
import { serverStatuses } from './server-statuses.ts'
import type { ServerRow } from './server-table.ts'

/** Name of the StateTransfer; both primaries use it. */
export const UPSTREAMS = 'upstreams'
const POLL_MS = 20
/** Visitors in one message. */
const MAX_KEYS = 1_000
/** A worker that has not said by then that it knows of a change hangs. */
const TOLD_MS = 5_000

export interface UpstreamsOptions {
  readonly events: BalancerEmitter
  readonly messages: WorkerMessages
  readonly workers: () => Iterable<PoolWorker>
  readonly limits: () => Settings['limits']
  /** Of which server each request was sent to, while there are readers. */
  readonly decisions: Pick<DecisionLog, 'isOn' | 'record' | 'onSwitched'>
  /** 0 to 1. */
  readonly chance: () => number
}

export class Upstreams implements StateTransfer {
  readonly name = UPSTREAMS
  private readonly options: UpstreamsOptions
  private readonly pools = new Map<string, NamedServers>()
  private readonly received = new Map<string, ServerRow[]>()
  private onChange: (entry: object) => void = () => {}

  constructor(options: UpstreamsOptions) {
    this.options = options
    const { decisions } = options
    options.messages.subscribe('choices', (worker, { choices }) => {
      for (const choice of choices) decisions.record(decisionOf(worker, choice))
    })
    decisions.onSwitched = (isWanted) => {
      for (const worker of options.workers()) if (worker.isProxy) worker.send({ switchyard: 'choices', isWanted })
    }
    options.messages.subscribe('upstream', (worker, { report }) => {
      this.pools.get(worker.pool)?.counts.add(worker.upstream, report)
      worker.upstream = report
    })
  }

  /** `onChange` gets every slot that is taken out of service or put back, for a new primary. */
  subscribe(onChange: (entry: object) => void): void {
    this.onChange = onChange
  }

  /** Puts the servers of these pools in force. */
  configure(pools: readonly PoolSettings[]): void {
    const named = new Map(pools.map((pool) => [pool.name, pool]))
    for (const [name, servers] of this.pools) {
      if (named.get(name)?.upstream !== undefined) continue
      servers.stop()
      this.pools.delete(name)
    }
    for (const { name, upstream } of pools) {
      if (upstream === undefined) continue
      const servers = this.pools.get(name) ?? this.open(name)
      servers.configure(upstream)
      this.tell(name)
    }
  }

  private open(pool: string): NamedServers {
    const { events, chance } = this.options
    const servers = new NamedServers({
      pool,
      resolverFor: (dns) => nameResolver(dns),
      onChanged: () => this.tell(pool),
      onNotice: (level, message) => events.emit('upstreamNoticed', { pool, level, message }),
      chance,
    })
    this.pools.set(pool, servers)
    return servers
  }

  /** For the start data of a worker. undefined: it runs an app. */
  startFor({ settings }: PoolWorker): UpstreamStart | undefined {
    const start = upstreamStart(settings, this.options.limits())
    if (start === undefined || settings.upstream === undefined) return undefined
    let servers = this.pools.get(settings.name)
    if (servers === undefined) {
      // A reload adds the pool, and its config is not in force yet.
      servers = this.open(settings.name)
      servers.configure(settings.upstream)
    }
    return { ...start, servers: servers.targets, version: servers.version }
  }

  /**
   * A worker is ready. A proxy worker gets the list of servers, because what it was told while its app started may be lost, and the visitors that are known by
   * a cookie of their server's.
   */
  introduce(worker: PoolWorker, visitors: () => Iterable<VisitorEntry>): void {
    const servers = worker.isProxy ? this.pools.get(worker.pool) : undefined
    if (servers === undefined) return
    worker.send({ switchyard: 'upstream', servers: servers.targets, version: servers.version, restarted: undefined })
    if (this.options.decisions.isOn) worker.send({ switchyard: 'choices', isWanted: true })
    if (!learns(worker)) return
    const bySlot = new Map<number, string[]>()
    for (const { pool, slot, key } of visitors()) {
      if (pool !== worker.pool) continue
      const keys = bySlot.get(slot)
      if (keys === undefined) bySlot.set(slot, [key])
      else keys.push(key)
    }
    for (const [slot, keys] of bySlot) {
      for (let at = 0; at < keys.length; at += MAX_KEYS) worker.send({ switchyard: 'visitors', slot, keys: keys.slice(at, at + MAX_KEYS) })
    }
  }

  /** A visitor of a server is known: every proxy worker of the pool must know. */
  onLearned({ pool, slot, key }: VisitorEntry): void {
    if (!this.pools.has(pool)) return
    for (const worker of this.proxiesOf(pool)) if (learns(worker)) worker.send({ switchyard: 'visitors', slot, keys: [key] })
  }

  /** Is this slot that of an upstream server which gets requests? undefined: the pool runs an app. */
  serves(pool: string, slot: number): boolean | undefined {
    const servers = this.pools.get(pool)
    if (servers === undefined) return undefined
    const row = servers.table.row(slot)
    return row !== undefined && !row.isHeld
  }

  /** undefined: the pool runs an app. */
  slotsOf(pool: string): readonly number[] | undefined {
    return this.pools.get(pool)?.table.used.map(({ slot }) => slot)
  }

  statusOf(pool: string): UpstreamServerStatus[] | null {
    const servers = this.pools.get(pool)
    return servers === undefined ? null : serverStatuses(servers.targets, this.proxiesOf(pool), servers.counts)
  }

  /** Exchanges that failed since their pool began. The one that failed last is at the end. */
  get failedExchanges(): FailedExchanges[] {
    return [...this.pools.values()].flatMap(({ counts }) => counts.failedExchanges).sort((one, other) => one.time - other.time)
  }

  /** Takes a server out of service, and waits until its requests have ended or were cut off. Resolves with how many were left at the end. */
  async drain(pool: string, slot: number): Promise<number> {
    this.hold(pool, slot, true)
    const version = this.pools.get(pool)?.version ?? 0
    const deadline = performance.now() + this.options.limits().drainTimeoutMs + TOLD_MS
    while (performance.now() < deadline && this.serves(pool, slot) === false) {
      const isDone = this.proxiesOf(pool).every((worker) => knows(worker, version) && inFlightOf(worker, slot) === 0)
      if (isDone) break
      await wait(POLL_MS)
    }
    return this.proxiesOf(pool).reduce((sum, worker) => sum + inFlightOf(worker, slot), 0)
  }

  /** Puts a server back in service; its failures are forgotten, its connections are made anew, and its name is looked up. */
  async restart(pool: string, slot: number): Promise<void> {
    this.hold(pool, slot, false)
    const servers = this.pools.get(pool)
    servers?.refresh(slot)
    const version = servers?.version ?? 0
    const deadline = performance.now() + TOLD_MS
    while (performance.now() < deadline && !this.proxiesOf(pool).every((worker) => knows(worker, version))) await wait(POLL_MS)
  }

  stop(): void {
    for (const servers of this.pools.values()) servers.stop()
    this.pools.clear()
  }

  private hold(pool: string, slot: number, isHeld: boolean): void {
    const servers = this.pools.get(pool)
    const row = servers?.table.row(slot)
    if (servers === undefined || row === undefined) return
    row.isHeld = isHeld
    servers.version++
    this.onChange({ ...row, pool })
    this.tell(pool, isHeld ? undefined : slot)
  }

  private tell(pool: string, restarted?: number): void {
    const servers = this.pools.get(pool)
    if (servers === undefined) return
    const { targets, version } = servers
    for (const worker of this.proxiesOf(pool)) worker.send({ switchyard: 'upstream', servers: targets, version, restarted })
  }

  /** The proxy workers of the pool. */
  private proxiesOf(pool: string): PoolWorker[] {
    return [...this.options.workers()].filter((worker) => worker.pool === pool && worker.state !== 'gone' && worker.isProxy)
  }

  // ---- In the old primary ----

  *entries(): Generator<object> {
    for (const [pool, { table }] of this.pools) for (const row of table.all) yield { ...row, pool }
  }

  // ---- In the new primary ----

  receive(entry: unknown): void {
    const { pool, slot, name, generation, address, isUsed, isHeld } = (entry ?? {}) as Partial<ServerRow & { pool: string }>
    if (typeof pool !== 'string' || typeof name !== 'string' || !isCount(slot) || !isCount(generation)) return
    const row = {
      slot,
      name,
      generation,
      address: typeof address === 'string' ? address : undefined,
      isUsed: isUsed === true,
      isHeld: isHeld === true,
    }
    const rows = this.received.get(pool)
    if (rows === undefined) {
      this.received.set(pool, [row])
      // The entries of one message come in one turn.
      setImmediate(() => this.restore(pool))
    } else rows.push(row)
  }

  private restore(pool: string): void {
    const rows = this.received.get(pool) ?? []
    this.received.delete(pool)
    const servers = this.pools.get(pool)
    if (servers === undefined) return
    const merged = new Map(servers.restored.map((row) => [row.slot, row]))
    for (const row of rows) merged.set(row.slot, row)
    servers.restore([...merged.values()])
    this.tell(pool)
  }
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 31
}

/** Do policies of its pool choose servers by visitors? One of the user's own may. */
function learns({ settings: { upstream } }: PoolWorker): boolean {
  return upstream?.policies.some((policy) => policy === 'own' || JSON.stringify(policy ?? '').includes('"learn"')) === true
}

/** Has the worker said that it uses this list of servers? One that starts gets it with its start data. */
function knows({ upstream, state }: PoolWorker, version: number): boolean {
  return state === 'starting' || (upstream?.version ?? -1) >= version
}

function inFlightOf({ upstream }: PoolWorker, slot: number): number {
  return (upstream?.servers ?? []).reduce((sum, server) => sum + (server.slot === slot ? server.inFlight : 0), 0)
}
