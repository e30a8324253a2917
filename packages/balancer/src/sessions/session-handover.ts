// Hands the embedded session store over in an upgrade, and routes the commands of the workers meanwhile. First the table is copied while it
// serves. Then commands wait for the few milliseconds in which the new primary takes over. From then on the old primary passes the commands
// of its workers to the new one. So there is one table at every moment, and no acknowledged write is lost.

import type { SessionTableEntry } from '@switchyard/sessions'
import { readFromWorker, type ToWorker } from '@switchyard/worker-runtime'
import type { StateTransfer } from '../state-transfer.ts'
import type { EmbeddedSessions, SessionBatch, SessionClient } from './embedded-sessions.ts'

/** From the old primary to the new one. `line` and `gone` number a worker of the old primary. */
type ToNewPrimary =
  | { readonly row: SessionTableEntry }
  | { readonly line: number; readonly batch: SessionBatch }
  /** The worker has exited. */
  | { readonly gone: number }

/** From the new primary to a worker of the old one. */
interface ToOldWorker {
  readonly line: number
  readonly message: ToWorker
}

export class SessionHandover implements StateTransfer {
  readonly name = 'sessions'
  private readonly sessions: EmbeddedSessions
  private readonly isEmbedded: () => boolean
  /** `copying`: changed ids are collected. `waiting`: commands wait. `away`: the new primary has the table. */
  private state: 'here' | 'copying' | 'waiting' | 'away' = 'here'
  private waiting: (readonly [client: SessionClient, batch: SessionBatch])[] = []
  private readonly changed = new Set<string>()
  private send: (entry: ToNewPrimary) => void = () => {}
  /** The workers of this primary, by the numbers that a new primary knows them by. */
  private readonly clients = new Map<number, SessionClient>()
  private readonly numbers = new Map<SessionClient, number>()
  private lastNumber = 0
  /** In the new primary: the workers of the old one. */
  private readonly oldWorkers = new Map<number, SessionClient>()

  /** `isEmbedded`: are the sessions of the workers here, and not in Redis? */
  constructor(sessions: EmbeddedSessions, isEmbedded: () => boolean) {
    this.sessions = sessions
    this.isEmbedded = isEmbedded
  }

  /** Commands of a worker. */
  onMessage(client: SessionClient, batch: SessionBatch): void {
    const number = this.numberOf(client)
    if (this.state === 'away') this.send({ line: number, batch })
    else if (this.state === 'waiting') this.waiting.push([client, batch])
    else this.sessions.onMessage(client, batch)
  }

  /** Removes a worker that has exited. */
  forget(client: SessionClient): void {
    this.sessions.forget(client)
    const number = this.numbers.get(client)
    if (number === undefined) return
    this.numbers.delete(client)
    this.clients.delete(number)
    this.waiting = this.waiting.filter(([other]) => other !== client)
    if (this.state === 'away') this.send({ gone: number })
  }

  // ---- In the old primary ----

  *entries(): Generator<ToNewPrimary> {
    this.state = 'copying'
    this.changed.clear()
    this.sessions.watchChanges((id) => this.changed.add(id))
    for (const row of this.sessions.rows()) yield { row }
  }

  *freeze(): Generator<ToNewPrimary> {
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
    // The new primary does not know what these workers have read, and won't report changes of it: their caches become stale.
    for (const client of this.clients.values()) client.send({ switchyard: 'sessions-changed', ids: undefined })
    this.handleWaiting()
  }

  resume(): void {
    this.stopWatching()
    this.state = 'here'
    this.handleWaiting()
  }

  onAnswer(entry: unknown): void {
    const { line, message } = entry as ToOldWorker
    this.clients.get(line)?.send(message)
  }

  // ---- In the new primary ----

  receive(entry: unknown, answer: (entry: object) => void): void {
    const message = entry as Partial<{ row: SessionTableEntry; line: number; batch: unknown; gone: number }>
    if (message.row !== undefined) this.sessions.restore(message.row)
    else if (message.gone !== undefined) this.forgetOldWorker(message.gone)
    else if (message.line !== undefined) this.onOldWorkerMessage(message.line, message.batch, answer)
  }

  /** The old primary has exited, and its workers with it. */
  onOldPrimaryGone(): void {
    for (const number of [...this.oldWorkers.keys()]) this.forgetOldWorker(number)
  }

  private onOldWorkerMessage(number: number, message: unknown, answer: (entry: object) => void): void {
    // Checked again: JSON has turned invalid commands (undefined) into null.
    const batch = readFromWorker(message)
    if (batch?.switchyard !== 'sessions') return
    const client = this.oldWorkers.get(number) ?? {
      send: (message: ToWorker) => answer({ line: number, message } satisfies ToOldWorker),
    }
    this.oldWorkers.set(number, client)
    this.sessions.onMessage(client, batch)
  }

  private forgetOldWorker(number: number): void {
    const client = this.oldWorkers.get(number)
    this.oldWorkers.delete(number)
    if (client !== undefined) this.sessions.forget(client)
  }

  private numberOf(client: SessionClient): number {
    const known = this.numbers.get(client)
    if (known !== undefined) return known
    this.lastNumber++
    this.numbers.set(client, this.lastNumber)
    this.clients.set(this.lastNumber, client)
    return this.lastNumber
  }

  private handleWaiting(): void {
    for (const [client, batch] of this.waiting.splice(0)) this.onMessage(client, batch)
  }

  private stopWatching(): void {
    this.sessions.watchChanges(undefined)
    this.changed.clear()
  }
}
