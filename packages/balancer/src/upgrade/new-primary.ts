// A successor takes over: its workers prove themselves, it is let in, and for as long as the old primary has workers the two of them share what comes.

import { type Acceptor, type Connection, listenerOf, type Passage, type Passed, packTag, type Transport } from '@switchyard/handoff'
import type { BalancerEmitter } from '../events.ts'
import type { PoolWorker } from '../supervisor/pool-worker.ts'
import type { InheritedSockets } from './inherited-sockets.ts'
import type { OldPrimaryLink } from './old-primary-link.ts'
import { StartupCheck } from './startup-check.ts'

/** What is passed back must have left before the old primary may go. */
const POLL_MS = 5

export interface NewPrimaryOptions {
  readonly oldPrimaryLink: OldPrimaryLink
  readonly sockets: InheritedSockets
  readonly transport: Transport
  readonly acceptor: Acceptor
  readonly events: BalancerEmitter
  readonly workers: () => Iterable<PoolWorker>
  /** Has every seat its worker? */
  readonly isComplete: () => boolean
  /** How long the loop of a worker has not turned. */
  readonly silentMs: (worker: PoolWorker) => number
  /** What of the old primary's memory is wanted, by name. */
  readonly transfers: readonly string[]
  readonly startTimeoutMs: number
  readonly settleMs: number
  /** How long a listener of the old primary is kept for a server that comes late. */
  readonly listenerGraceMs: number
  /** By number of a listener at the old primary, the number here. */
  readonly numbers: () => ReadonlyMap<number, number>
  /** The old primary passes a connection on; its tag names a listener of ours. */
  readonly takeIn: (passed: Passed) => void
  readonly onBatchEnd: () => void
}

export class NewPrimary {
  /** Connections that went to the old primary. */
  passedBack = 0
  /** Is the old primary still there? */
  isUnderWay = true
  /** Might a connection be the old primary's? */
  isSharing = false
  private readonly options: NewPrimaryOptions
  private readonly startupCheck: StartupCheck
  private passage: Passage | undefined
  /** Listeners of the old primary, by number, and what they are here. */
  private readonly own = new Map<number, number>()
  private readonly old = new Map<number, number>()
  private isLetIn: Promise<void> | undefined

  /** The workers are about to be started. */
  constructor(options: NewPrimaryOptions) {
    this.options = options
    const { oldPrimaryLink, settleMs, startTimeoutMs, transport } = options
    this.startupCheck = new StartupCheck({ ...options, patienceMs: startTimeoutMs })
    const { passage: fd } = oldPrimaryLink.startMessage
    const onPassed = (passed: Passed) => options.takeIn({ ...passed, connection: this.asOwn(passed.connection) })
    this.passage = fd === undefined ? undefined : transport.passages?.join(fd, { onPassed, onBatchEnd: options.onBatchEnd })
    // All of them, to be up, to settle, and to turn.
    oldPrimaryLink.starts(2 * startTimeoutMs + settleMs)
  }

  /** To be called whenever a worker has come up. Resolves when connections may be accepted; rejects with a BalancerError when they never may. */
  admission(): Promise<void> {
    this.startupCheck.look()
    this.isLetIn ??= this.beLetIn()
    return this.isLetIn
  }

  /** Connections are accepted. */
  begun(): void {
    const { oldPrimaryLink, sockets, numbers, listenerGraceMs } = this.options
    this.isSharing = this.passage !== undefined
    for (const [number, own] of numbers()) {
      this.own.set(number, own)
      this.old.set(own, number)
    }
    sockets.closeLeft()
    const late = sockets.left.flatMap(({ number }) => (number === undefined ? [] : [number]))
    oldPrimaryLink.tell({ talk: 'serving', taken: [...this.own.keys(), ...late] })
    setTimeout(() => sockets.closeLate(), listenerGraceMs).unref()
    void this.partWithOldPrimary()
  }

  /** Passes a connection to the old primary if what it wants is there: `generation` is that of its ticket. False: it is still the caller's. */
  passBack(connection: Connection, pool: string, generation: number | undefined): boolean {
    if (generation === undefined || generation >= (this.options.oldPrimaryLink.startMessage.generations[pool] ?? 0)) return false
    const number = this.old.get(listenerOf(connection.tag))
    if (number === undefined) return false
    const { fd, carried } = connection
    const isPassed = this.passage?.pass({ connection: { fd, tag: packTag(number, false), carried } }) ?? false
    if (isPassed) this.passedBack++
    return isPassed
  }

  /** This primary stops, or its predecessor has left. */
  end(): void {
    this.isSharing = false
    this.isUnderWay = false
    this.startupCheck.end()
    this.passage?.close()
    this.passage = undefined
  }

  private async beLetIn(): Promise<void> {
    const { oldPrimaryLink, workers, transfers } = this.options
    await this.startupCheck.passed()
    oldPrimaryLink.tell({ talk: 'ready', workers: [...workers()].length, takes: this.passage !== undefined, heirlooms: transfers })
    await oldPrimaryLink.go
  }

  /** It has no workers left, and is about to end. */
  private async partWithOldPrimary(): Promise<void> {
    const { oldPrimaryLink } = this.options
    await oldPrimaryLink.leaving
    this.isSharing = false
    while (this.passage !== undefined && this.passage.unsent > 0) await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    oldPrimaryLink.tell({ talk: 'closed' })
    await oldPrimaryLink.left
    this.passage?.readAll()
    this.end()
  }

  private asOwn(connection: Connection): Connection {
    const number = listenerOf(connection.tag)
    let own = this.own.get(number) ?? this.options.numbers().get(number)
    if (own === undefined) {
      own = this.options.acceptor.addForeign(this.options.oldPrimaryLink.startMessage.peeks[number] ?? true)
      this.own.set(number, own)
    }
    return { ...connection, tag: packTag(own, false) }
  }
}
