// The upgrade as the balancer sees it: this primary may have replaced an old one, and a new one may replace it. Both share connections for a
// while.

import { setTimeout } from 'node:timers/promises'
import { type Acceptor, type Arrival, type Connection, type Passed, type Transport, unpackRest } from '@switchyard/handoff'
import type { Policy } from '@switchyard/routing'
import type { ClaimPoller } from '../dispatch/claim-poller.ts'
import type { Dispatcher } from '../dispatch/dispatcher.ts'
import type { OtherPrimaries } from '../dispatch/other-primaries.ts'
import type { Pool } from '../dispatch/pool.ts'
import type { PoolChanges } from '../dispatch/pool-changes.ts'
import type { BalancerEmitter } from '../events.ts'
import type { ExtraSockets } from '../listeners/extra-sockets.ts'
import type { FreePorts } from '../listeners/free-ports.ts'
import type { Listeners } from '../listeners/listeners.ts'
import type { LimitSettings, Settings } from '../settings.ts'
import type { StateTransfer } from '../state-transfer.ts'
import type { DesiredPool } from '../supervisor/desired-pool.ts'
import type { Supervisor } from '../supervisor/supervisor.ts'
import type { TlsTickets } from '../tls-tickets/tls-tickets.ts'
import type { HandedOver } from './messages.ts'
import { NewPrimary } from './new-primary.ts'
import { OldPrimary } from './old-primary.ts'
import type { OldPrimaryLink } from './old-primary-link.ts'
import type { Startup } from './startup.ts'

const POLL_MS = 20

/** The parts of the balancer that an upgrade works on. */
export interface UpgradeOptions {
  readonly transport: Transport
  readonly acceptor: Acceptor
  readonly events: BalancerEmitter
  readonly extraSockets: ExtraSockets
  /** State in memory that a new primary receives. */
  readonly transfers: readonly StateTransfer[]
  readonly listeners: Listeners
  readonly supervisor: Supervisor
  readonly pools: ReadonlyMap<string, Pool>
  readonly claims: ClaimPoller
  readonly dispatcher: Dispatcher
  readonly changes: PoolChanges
  readonly settings: () => Settings
  readonly freePorts: FreePorts
  readonly tlsTickets: Pick<TlsTickets, 'handedOver'>
  /** The new primary serves: this one drains and exits. */
  readonly drain: () => void
  /** This primary exits without having served. */
  readonly fail: (error: Error) => void
}

export class Upgrade implements OtherPrimaries {
  private readonly options: UpgradeOptions
  /** This primary as the old one of an upgrade to come. */
  private readonly asOld: OldPrimary
  /** This primary as the new one; undefined: it has replaced none. */
  private readonly asNew: NewPrimary | undefined

  constructor(options: UpgradeOptions, startup: Startup | undefined) {
    this.options = options
    const { transport, acceptor, events, extraSockets, transfers, listeners, supervisor, settings, claims, freePorts, drain } = options
    const onPassed = (passed: Passed) => this.onPassed(passed)
    const onBatchEnd = () => claims.flush()
    this.asOld = new OldPrimary({
      transport,
      acceptor,
      events,
      extraSockets,
      transfers,
      pools: () => options.pools.values(),
      sockets: () => listeners.socketsToTransfer(acceptor),
      handedOver: () => ({
        ...handedOverBy(settings(), supervisor.desired.values(), freePorts.entries),
        tlsTickets: options.tlsTickets.handedOver,
      }),
      startTimeoutMs: () => settings().limits.startTimeoutMs,
      onListenersKept: (numbers) => listeners.keepFilesOf(numbers),
      drain,
      onPassed,
      onBatchEnd,
    })
    if (startup?.oldPrimaryLink === undefined) return
    const { oldPrimaryLink, sockets } = startup
    oldPrimaryLink.mayAccept.catch((error) => {
      options.fail(error)
      supervisor.stopNow()
    })
    receiveState(oldPrimaryLink, transfers)
    this.asNew = new NewPrimary({
      oldPrimaryLink,
      sockets,
      transport,
      acceptor,
      events,
      workers: () => supervisor.workers(),
      isComplete: () => [...supervisor.desired.keys()].every((name) => supervisor.isAsDesired(name)),
      silentMs: (worker) => supervisor.watch.silentMs(worker),
      transfers: transfers.filter((transfer) => transfer.isWanted?.() !== false).map(({ name }) => name),
      startTimeoutMs: settings().limits.startTimeoutMs,
      listenerGraceMs: settings().limits.listenerGraceMs,
      numbers: () => listeners.numbers,
      settleMs: Math.max(...settings().pools.map(({ reload }) => reload.settleMs)),
      onPassed,
      onBatchEnd,
    })
  }

  /**
   * Starts a new primary and resolves with a sentence when it serves. Rejects with ERR_UPGRADE_FAILED, and everything is as before; or with
   * ERR_BUSY.
   */
  upgrade(): Promise<string> {
    return this.asOld.upgrade(this.asNew?.isUnderWay === true ? 'the old primary of the last upgrade has not exited yet' : undefined)
  }

  /** Cancels an upgrade under way, because this primary stops. Resolves when the new primary has exited. */
  cancel(): Promise<void> {
    return this.asOld.cancel()
  }

  /** Call it whenever a worker is ready. Resolves when connections may be accepted. Rejects with a BalancerError when they never may. */
  async untilAdmitted(): Promise<void> {
    await this.asNew?.untilAdmitted()
  }

  /** Connections are accepted now. */
  onAccepting(): void {
    this.asNew?.onAccepting()
  }

  /** Sends a change of transferred state to the new primary. */
  sendChange(name: string, entry: object): void {
    this.asOld.sendChange(name, entry)
  }

  /** May connections belong to a worker of the old primary? */
  get isSharing(): boolean {
    return this.asNew?.isSharing === true
  }

  /** Passes a connection to the old primary if the policy's ticket names one of its workers. False: it is still the caller's. */
  passBack({ fd, tag, carried, proxied, head }: Arrival, pool: Pool, policy: Policy): boolean {
    return this.asNew?.passBack({ fd, tag, carried, proxied }, pool.settings.name, policy.home?.(head)?.generation) ?? false
  }

  /** Do connections that come here go to the new primary? */
  get isPassing(): boolean {
    return this.asOld.isPassing
  }

  /** Passes a connection to the new primary for good. */
  passOn({ fd, tag, carried, proxied }: Connection): void {
    this.asOld.pass({ connection: { fd, tag, carried, proxied }, isFinal: true })
  }

  /** Passes an idle connection that a worker gives back. */
  passResting(connection: Connection): void {
    this.options.acceptor.counts.givenBack++
    this.asOld.pass({ connection, rest: { timeoutMs: unpackRest(connection.carried) } })
  }

  /** Connections passed to the other primary. */
  get passed(): number {
    return this.asOld.passedOn + (this.asNew?.passedBack ?? 0)
  }

  /** Drains the workers, and passes to the new primary each connection that is idle or not claimed. Resolves when none is left here. */
  async handOver(): Promise<void> {
    const { acceptor, supervisor, pools, changes } = this.options
    const gone = supervisor.stop()
    acceptor.closeListeners()
    this.asOld.passAll()
    for (const pool of pools.values()) changes.recallAll(pool.workers)
    await gone
    await this.asOld.end()
  }

  /** Without a passage, workers claim the connections that are here before they drain. Resolves then, or after `drainTimeoutMs`. */
  async untilWorkersClaim({ drainTimeoutMs }: Pick<LimitSettings, 'drainTimeoutMs'>): Promise<void> {
    if (!this.asOld.hasHandedOver) return
    const { acceptor, pools } = this.options
    const isWaiting = (): boolean =>
      acceptor.counts.waiting > 0 ||
      [...pools.values()].some(({ queue, workers }) => queue.length > 0 || [...workers].some(({ channel }) => channel.outstanding > 0))
    for (const deadline = Date.now() + drainTimeoutMs; isWaiting() && Date.now() < deadline; ) await setTimeout(POLL_MS)
  }

  end(): void {
    this.asNew?.end()
  }

  private onPassed({ connection, rest, isFinal = false, expectsProxy }: Passed): void {
    if (rest !== undefined) return this.options.acceptor.rest(connection, rest.timeoutMs)
    this.options.dispatcher.onGivenBack(connection, isFinal ? 'passed' : 'client', expectsProxy)
  }
}

function handedOverBy({ ticketKeys }: Settings, wanted: Iterable<DesiredPool>, freePorts: Readonly<Record<string, number>>): HandedOver {
  const pools = [...wanted]
  return {
    freePorts,
    // The new primary reads a configured secret itself.
    ticketKeys: ticketKeys.flatMap(({ id, secret }) => (typeof secret === 'string' ? [] : [{ id, secret: secret.toString('base64') }])),
    generations: Object.fromEntries(pools.map(({ name, latestGeneration }) => [name, latestGeneration + 1])),
    workers: Object.fromEntries(
      pools.filter(({ workers, version }) => workers !== version.settings.workers).map(({ name, workers }) => [name, workers]),
    ),
  }
}

/** Gives each entry of the old primary's state to its transfer, and sends the answers. */
function receiveState(oldPrimaryLink: OldPrimaryLink, transfers: readonly StateTransfer[]): void {
  oldPrimaryLink.onState((name, entries) => {
    const transfer = transfers.find((one) => one.name === name)
    const answer = (entry: object) => oldPrimaryLink.send({ kind: 'state', name, entries: [entry] })
    for (const entry of entries) transfer?.receive(entry, answer)
  })
  void oldPrimaryLink.closed.then(() => {
    for (const transfer of transfers) transfer.onOldPrimaryGone?.()
  })
}
