// The new primary's side of an upgrade: it checks its own workers, waits until it may accept, and shares connections with the old primary until
// that has no workers left.

import { type Acceptor, type Connection, listenerOf, type Passage, type Passed, packTag, type Transport } from '@switchyard/handoff'
import type { BalancerEmitter } from '../events.ts'
import type { InheritedSockets } from '../listeners/inherited-sockets.ts'
import type { PoolWorker } from '../supervisor/pool-worker.ts'
import type { OldPrimaryLink } from './old-primary-link.ts'
import { StartupCheck } from './startup-check.ts'

/**
 * Where the upgrade stands.
 *
 * - `checking`: the workers start, and must stay up.
 * - `waiting`: the old primary copies its state and then lets this one accept.
 * - `sharing`: both primaries have workers. Either passes the other its connections.
 * - `parting`: the old primary has no workers left. Connections that it has sent still arrive.
 * - `alone`: the old primary has exited.
 */
type Phase = 'checking' | 'waiting' | 'sharing' | 'parting' | 'alone'

const POLL_MS = 5

export interface NewPrimaryOptions {
  readonly oldPrimaryLink: OldPrimaryLink
  readonly sockets: InheritedSockets
  readonly transport: Transport
  readonly acceptor: Acceptor
  readonly events: BalancerEmitter
  readonly workers: () => Iterable<PoolWorker>
  /** Does every slot have a ready worker? */
  readonly isComplete: () => boolean
  /** Time since the last turn of a worker's loop. */
  readonly silentMs: (worker: PoolWorker) => number
  /** Names of the state that the old primary should send. */
  readonly transfers: readonly string[]
  readonly startTimeoutMs: number
  readonly settleMs: number
  /** Inherited sockets wait this long for a server of the app. */
  readonly listenerGraceMs: number
  /** The old primary's listener numbers, each with the number here. */
  readonly numbers: () => ReadonlyMap<number, number>
  /** The old primary passes a connection; its tag names a listener of this primary. */
  readonly onPassed: (passed: Passed) => void
  readonly onBatchEnd: () => void
}

export class NewPrimary {
  /** Connections passed back to the old primary. */
  passedBack = 0
  private readonly options: NewPrimaryOptions
  private phase: Phase = 'checking'
  private readonly startupCheck: StartupCheck
  private passage: Passage | undefined
  /** Listener numbers: old to own, and own to old. */
  private readonly ownNumbers = new Map<number, number>()
  private readonly oldNumbers = new Map<number, number>()
  private admitted: Promise<void> | undefined

  /** Create it before the workers start. */
  constructor(options: NewPrimaryOptions) {
    this.options = options
    const { oldPrimaryLink, settleMs, startTimeoutMs, transport, onBatchEnd } = options
    this.startupCheck = new StartupCheck({ ...options, hangTimeoutMs: startTimeoutMs })
    const { passage: fd } = oldPrimaryLink.startMessage
    const onPassed = (passed: Passed) => options.onPassed({ ...passed, connection: this.withOwnNumber(passed.connection) })
    this.passage = fd === undefined ? undefined : transport.passages?.join(fd, { onPassed, onBatchEnd })
    // One start timeout for the workers to start and one for their loops to turn, and the time between.
    oldPrimaryLink.send({ kind: 'starting', timeoutMs: 2 * startTimeoutMs + settleMs })
  }

  /** Has the old primary not exited yet? */
  get isUnderWay(): boolean {
    return this.phase !== 'alone'
  }

  /** May connections belong to a worker of the old primary? */
  get isSharing(): boolean {
    return this.phase === 'sharing' && this.passage !== undefined
  }

  /** Call it whenever a worker is ready. Resolves when connections may be accepted. Rejects with a BalancerError when they never may. */
  untilAdmitted(): Promise<void> {
    this.startupCheck.onWorkerReady()
    this.admitted ??= this.waitForAdmission()
    return this.admitted
  }

  /** Connections are accepted now. */
  onAccepting(): void {
    const { oldPrimaryLink, sockets, numbers, listenerGraceMs } = this.options
    this.phase = 'sharing'
    for (const [old, own] of numbers()) {
      this.ownNumbers.set(old, own)
      this.oldNumbers.set(own, old)
    }
    sockets.closeUnclaimed()
    const late = sockets.unclaimed.flatMap(({ number }) => (number === undefined ? [] : [number]))
    oldPrimaryLink.send({ kind: 'serving', listeners: [...this.ownNumbers.keys(), ...late] })
    setTimeout(() => sockets.closeLate(), listenerGraceMs).unref()
    void this.partFromOldPrimary()
  }

  /** Passes a connection back if its ticket, of this `generation`, names a worker of the old primary. False: it is still the caller's. */
  passBack(connection: Connection, pool: string, generation: number | undefined): boolean {
    if (generation === undefined || generation >= (this.options.oldPrimaryLink.startMessage.generations[pool] ?? 0)) return false
    if (connection.proxied !== undefined && this.options.oldPrimaryLink.startMessage.readsProxied !== true) return false
    const number = this.oldNumbers.get(listenerOf(connection.tag))
    if (number === undefined) return false
    const { fd, carried, proxied } = connection
    const isPassed = this.passage?.pass({ connection: { fd, tag: packTag(number, false), carried, proxied } }) ?? false
    if (isPassed) this.passedBack++
    return isPassed
  }

  /** Ends the upgrade, because the old primary has exited or this one stops. */
  end(): void {
    this.phase = 'alone'
    this.startupCheck.end()
    this.passage?.close()
    this.passage = undefined
  }

  private async waitForAdmission(): Promise<void> {
    const { oldPrimaryLink, workers, transfers } = this.options
    await this.startupCheck.passed()
    this.phase = 'waiting'
    oldPrimaryLink.send({
      kind: 'ready',
      workers: [...workers()].length,
      isPassing: this.passage !== undefined,
      transfers,
      readsProxied: true,
    })
    await oldPrimaryLink.mayAccept
  }

  private async partFromOldPrimary(): Promise<void> {
    const { oldPrimaryLink } = this.options
    await oldPrimaryLink.oldPrimaryDrained
    if (this.phase === 'sharing') this.phase = 'parting'
    while (this.passage !== undefined && this.passage.unsent > 0) await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    oldPrimaryLink.send({ kind: 'closed' })
    await oldPrimaryLink.closed
    this.passage?.readAll()
    this.end()
  }

  private withOwnNumber(connection: Connection): Connection {
    const number = listenerOf(connection.tag)
    let own = this.ownNumbers.get(number) ?? this.options.numbers().get(number)
    if (own === undefined) {
      own = this.options.acceptor.addForeign(this.options.oldPrimaryLink.startMessage.peeks[number] ?? true)
      this.ownNumbers.set(number, own)
    }
    return { ...connection, tag: packTag(own, false) }
  }
}
