// Where workers bring their commands for the embedded store. In an upgrade the store moves to the successor: it is copied while everything goes on, then commands wait for the
// few milliseconds in which nobody is sure who serves, and from then on those of the old workers are passed on. So at every moment there is one table, and nothing that
// was acknowledged is lost.

import { readFromWorker, type SessionTableEntry, type ToWorker } from '@switchyard/worker-runtime'
import type { StateTransfer } from '../upgrade/state-transfer.ts'
import type { EmbeddedSessions, SessionBatch, SessionLine } from './embedded-sessions.ts'

/** What an old primary says of sessions to its successor. */
type ToSuccessor =
  | { readonly row: SessionTableEntry }
  /** Commands of one of its workers. */
  | { readonly line: number; readonly batch: SessionBatch }
  /** That one is gone. */
  | { readonly gone: number }

/** And what it hears: what is to be told to a worker. */
interface ToOldWorker {
  readonly line: number
  readonly message: ToWorker
}

export class SessionHandover implements StateTransfer {
  readonly name = 'sessions'
  private readonly sessions: EmbeddedSessions
  private readonly isEmbedded: () => boolean
  /** `copying`: what changes is noted. `waiting`: nothing changes. `away`: the successor has the table. */
  private state: 'here' | 'copying' | 'waiting' | 'away' = 'here'
  private waiting: (readonly [line: SessionLine, batch: SessionBatch])[] = []
  private readonly changed = new Set<string>()
  private send: (entry: ToSuccessor) => void = () => {}
  /** Workers of this primary, by the numbers that a successor knows them by. */
  private readonly lines = new Map<number, SessionLine>()
  private readonly numbers = new Map<SessionLine, number>()
  private lastNumber = 0
  /** Workers of the old primary, as a successor sees them. */
  private readonly oldWorkers = new Map<number, SessionLine>()

  /** `isEmbedded`: do workers keep their sessions here, and not in Redis? */
  constructor(sessions: EmbeddedSessions, isEmbedded: () => boolean) {
    this.sessions = sessions
    this.isEmbedded = isEmbedded
  }

  /** A worker has commands. */
  onMessage(line: SessionLine, batch: SessionBatch): void {
    const number = this.numberOf(line)
    if (this.state === 'away') this.send({ line: number, batch })
    else if (this.state === 'waiting') this.waiting.push([line, batch])
    else this.sessions.onMessage(line, batch)
  }

  /** A worker is gone. */
  forget(line: SessionLine): void {
    this.sessions.forget(line)
    const number = this.numbers.get(line)
    if (number === undefined) return
    this.numbers.delete(line)
    this.lines.delete(number)
    this.waiting = this.waiting.filter(([one]) => one !== line)
    if (this.state === 'away') this.send({ gone: number })
  }

  // ---- As the old primary ----

  *entries(): Generator<ToSuccessor> {
    this.state = 'copying'
    this.changed.clear()
    this.sessions.watchChanges((id) => this.changed.add(id))
    for (const row of this.sessions.rows()) yield { row }
  }

  *freeze(): Generator<ToSuccessor> {
    this.state = 'waiting'
    for (const row of this.sessions.rows(this.changed)) yield { row }
  }

  isWanted(): boolean {
    return this.isEmbedded()
  }

  onNewPrimaryServes(send: (entry: object) => void): void {
    this.stopWatching()
    this.state = 'away'
    this.send = send
    // What they have read they have read here: the successor does not know of it, and won't tell them of changes.
    for (const line of this.lines.values()) line.send({ switchyard: 'sessions-changed', ids: undefined })
    this.handleWaiting()
  }

  resume(): void {
    this.stopWatching()
    this.state = 'here'
    this.handleWaiting()
  }

  onAnswer(entry: unknown): void {
    const { line, message } = entry as ToOldWorker
    this.lines.get(line)?.send(message)
  }

  // ---- As the successor ----

  receive(entry: unknown, answer: (entry: object) => void): void {
    const said = entry as Partial<{ row: SessionTableEntry; line: number; batch: unknown; gone: number }>
    if (said.row !== undefined) this.sessions.restore(said.row)
    else if (said.gone !== undefined) this.forgetOld(said.gone)
    else if (said.line !== undefined) this.hearOld(said.line, said.batch, answer)
  }

  /** The old primary is gone, and its workers with it. */
  onOldPrimaryGone(): void {
    for (const number of [...this.oldWorkers.keys()]) this.forgetOld(number)
  }

  private hearOld(number: number, message: unknown, answer: (entry: object) => void): void {
    // JSON has made null of what made no sense.
    const batch = readFromWorker(message)
    if (batch?.switchyard !== 'sessions') return
    const line = this.oldWorkers.get(number) ?? { send: (told: ToWorker) => answer({ line: number, message: told } satisfies ToOldWorker) }
    this.oldWorkers.set(number, line)
    this.sessions.onMessage(line, batch)
  }

  private forgetOld(number: number): void {
    const line = this.oldWorkers.get(number)
    this.oldWorkers.delete(number)
    if (line !== undefined) this.sessions.forget(line)
  }

  private numberOf(line: SessionLine): number {
    const known = this.numbers.get(line)
    if (known !== undefined) return known
    this.lastNumber++
    this.numbers.set(line, this.lastNumber)
    this.lines.set(this.lastNumber, line)
    return this.lastNumber
  }

  private handleWaiting(): void {
    for (const [line, batch] of this.waiting.splice(0)) this.onMessage(line, batch)
  }

  private stopWatching(): void {
    this.sessions.watchChanges(undefined)
    this.changed.clear()
  }
}
