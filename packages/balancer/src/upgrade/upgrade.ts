// The primary before this one and the one after it, as the balancer sees them while an upgrade is under way: what comes from them, and what goes to them.

import { setTimeout } from 'node:timers/promises'
import { type Acceptor, type Arrival, type Connection, type Passed, type Transport, unpackRest } from '@switchyard/handoff'
import type { Policy } from '@switchyard/routing'
import type { ClaimPoller } from '../dispatch/claim-poller.ts'
import type { Dispatcher } from '../dispatch/dispatcher.ts'
import type { OtherPrimaries } from '../dispatch/other-primaries.ts'
import type { Pool } from '../dispatch/pool.ts'
import type { PoolChanges } from '../dispatch/pool-changes.ts'
import type { BalancerEmitter } from '../events.ts'
import type { FreePorts } from '../listeners/free-ports.ts'
import type { Listeners } from '../listeners/listeners.ts'
import type { LimitSettings, Settings } from '../settings.ts'
import type { Supervisor } from '../supervisor/supervisor.ts'
import type { ExtraSockets } from './extra-sockets.ts'
import { handedOverBy } from './handed-over.ts'
import { NewPrimary } from './new-primary.ts'
import { OldPrimary } from './old-primary.ts'
import type { OldPrimaryLink } from './old-primary-link.ts'
import type { Startup } from './startup.ts'
import type { StateTransfer } from './state-transfer.ts'

const POLL_MS = 20

/** The parts of the balancer that this works on. */
export interface UpgradeOptions {
  readonly transport: Transport
  readonly acceptor: Acceptor
  readonly events: BalancerEmitter
  readonly extraSockets: ExtraSockets
  /** What is in memory and lives on. */
  readonly transfers: readonly StateTransfer[]
  readonly listeners: Listeners
  readonly supervisor: Supervisor
  readonly pools: ReadonlyMap<string, Pool>
  readonly claims: ClaimPoller
  readonly dispatcher: Dispatcher
  readonly changes: PoolChanges
  readonly settings: () => Settings
  readonly freePorts: FreePorts
  /** This primary drains and leaves. */
  readonly leave: () => void
  /** This primary ends, and has served nobody. */
  readonly fail: (error: Error) => void
}

export class Upgrade implements OtherPrimaries {
  private readonly parts: UpgradeOptions
  private readonly oldPrimary: OldPrimary
  /** undefined: this primary is nobody's successor. */
  private readonly newPrimary: NewPrimary | undefined

  constructor(parts: UpgradeOptions, startup: Startup | undefined) {
    this.parts = parts
    const { transport, acceptor, events, extraSockets, listeners, supervisor, settings } = parts
    const pools = () => parts.pools.values()
    const takeIn = (passed: Passed) => this.takeIn(passed)
    this.oldPrimary = new OldPrimary({
      transport,
      acceptor,
      events,
      extraSockets,
      pools,
      sockets: () => listeners.transferred(acceptor),
      transfers: parts.transfers,
      handedOver: () => handedOverBy(settings(), supervisor.desired.values(), parts.freePorts.entries),
      startTimeoutMs: () => settings().limits.startTimeoutMs,
      onTaken: (numbers) => listeners.keepFiles(numbers),
      leave: parts.leave,
      takeIn,
      onBatchEnd: () => parts.claims.flush(),
    })
    if (startup?.oldPrimaryLink === undefined) return
    startup.oldPrimaryLink.go.catch((error) => {
      parts.fail(error)
      supervisor.stopNow()
    })
    inherit(startup.oldPrimaryLink, parts.transfers)
    this.newPrimary = new NewPrimary({
      oldPrimaryLink: startup.oldPrimaryLink,
      sockets: startup.sockets,
      transport,
      acceptor,
      events,
      workers: () => supervisor.workers(),
      isComplete: () => [...supervisor.desired.keys()].every((name) => supervisor.isAsDesired(name)),
      silentMs: (worker) => supervisor.silentMs(worker),
      transfers: parts.transfers.filter((transfer) => transfer.isWanted?.() !== false).map(({ name }) => name),
      startTimeoutMs: settings().limits.startTimeoutMs,
      listenerGraceMs: settings().limits.listenerGraceMs,
      numbers: () => listeners.numbers,
      settleMs: Math.max(...settings().pools.map(({ reload }) => reload.settleMs)),
      takeIn,
      onBatchEnd: () => parts.claims.flush(),
    })
  }

  /** Starts a successor and resolves with a sentence when that serves. Rejects with ERR_UPGRADE_FAILED, and everything is as before; or with ERR_BUSY. */
  upgrade(): Promise<string> {
    return this.oldPrimary.upgrade(this.newPrimary?.isUnderWay === true ? 'the primary before this one has not left yet' : undefined)
  }

  /** This primary stops: a successor that does not serve yet is not wanted any more. Resolves when there is none. */
  cancel(): Promise<void> {
    return this.oldPrimary.cancel()
  }

  /** To be called whenever a worker has come up. Resolves when connections may be accepted; rejects with a BalancerError when they never may. */
  async admission(): Promise<void> {
    await this.newPrimary?.admission()
  }

  /** Connections are accepted. */
  begun(): void {
    this.newPrimary?.begun()
  }

  /** Something that lives on has changed here: a successor is told. */
  tell(name: string, entry: object): void {
    this.oldPrimary.tell(name, entry)
  }

  /** Might a connection be the predecessor's? */
  get isSharing(): boolean {
    return this.newPrimary?.isSharing === true
  }

  /** Is the connection of a visitor whom a worker of the predecessor knows? Then it goes there. */
  passBack({ fd, tag, carried, head }: Arrival, pool: Pool, policy: Policy): boolean {
    return this.newPrimary?.passBack({ fd, tag, carried }, pool.settings.name, policy.home?.(head)?.generation) ?? false
  }

  /** Does what comes go to a successor? */
  get isPassing(): boolean {
    return this.oldPrimary.isPassing
  }

  /** Nobody here is to have it: the successor is. */
  passOn({ fd, tag, carried }: Connection): void {
    this.oldPrimary.pass({ connection: { fd, tag, carried }, isFinal: true })
  }

  /** A worker lets go of an idle connection. */
  passRest(connection: Connection): void {
    this.parts.acceptor.counts.givenBack++
    this.oldPrimary.pass({ connection, rest: { timeoutMs: unpackRest(connection.carried) } })
  }

  /** How many connections went to a neighbour. */
  get passed(): number {
    return this.oldPrimary.passedOn + (this.newPrimary?.passedBack ?? 0)
  }

  /** The workers drain; a successor gets what has not begun, and what is idle. Resolves when nothing is left here. */
  async leave(): Promise<void> {
    const { acceptor, supervisor, pools, changes } = this.parts
    const gone = supervisor.stop()
    acceptor.closeListeners()
    this.oldPrimary.passAll()
    for (const pool of pools.values()) changes.recallAll(pool.workers)
    await gone
    await this.oldPrimary.end()
  }

  /** A successor serves and can't be passed connections: workers take what is here already before they drain, or until the deadline. */
  async untilBegun({ drainTimeoutMs }: Pick<LimitSettings, 'drainTimeoutMs'>): Promise<void> {
    if (!this.oldPrimary.hasNewPrimary) return
    const { acceptor, pools } = this.parts
    const isWaiting = (): boolean =>
      acceptor.counts.waiting > 0 ||
      [...pools.values()].some(({ queue, workers }) => queue.length > 0 || [...workers].some(({ channel }) => channel.outstanding > 0))
    for (const deadline = Date.now() + drainTimeoutMs; isWaiting() && Date.now() < deadline; ) await setTimeout(POLL_MS)
  }

  /** This primary ends. */
  end(): void {
    this.newPrimary?.end()
  }

  /** A neighbour passes a connection to this primary. */
  private takeIn({ connection, rest, isFinal = false }: Passed): void {
    if (rest !== undefined) return this.parts.acceptor.rest(connection, rest.timeoutMs)
    this.parts.dispatcher.onGivenBack(connection, isFinal ? 'passed' : 'client')
  }
}

/** Takes what the old primary has in its memory, as it comes, and answers what is asked of it. */
function inherit(oldPrimaryLink: OldPrimaryLink, transfers: readonly StateTransfer[]): void {
  oldPrimaryLink.onTransfer((name, entries) => {
    const transfer = transfers.find((one) => one.name === name)
    const answer = (entry: object) => oldPrimaryLink.tell({ talk: 'heirloom', name, entries: [entry] })
    for (const entry of entries) transfer?.take(entry, answer)
  })
  void oldPrimaryLink.left.then(() => {
    for (const transfer of transfers) transfer.left?.()
  })
}
