// The embedded session store in the primary: owns the table, answers the commands of the workers, and reports changes to workers that have
// the session in their cache.

import { isLarger, type SessionSettings, SessionTable, type SessionTableEntry, startSweeping } from '@switchyard/sessions'
import { partsOf, type SessionCommand, type SessionReply, type ToPrimary, type ToWorker, weightOf } from '@switchyard/worker-runtime'
import type { SessionTableStatus } from '../status.ts'
import { SessionReaders } from './session-readers.ts'

/** A worker that uses the store. */
export interface SessionClient {
  send(message: ToWorker): void
}

export type SessionBatch = Extract<ToPrimary, { switchyard: 'sessions' }>

export type EmbeddedSettings = Pick<SessionSettings, 'maxSessions' | 'maxBytes' | 'maxValueBytes' | 'tombstoneMs'>

/** Sessions whose changes are reported to one worker. */
const MAX_READ_IDS = 16_384
const MAX_ID_WEIGHT = 131

export class EmbeddedSessions {
  readonly table: SessionTable
  private settings: EmbeddedSettings
  private readonly now: () => number
  private readonly readers = new SessionReaders<SessionClient>(MAX_READ_IDS)
  private readonly sweeping: NodeJS.Timeout
  /** Changed ids that have not been reported, for each worker. */
  private unreported = new Map<SessionClient, string[]>()
  private watcher: ((id: string) => void) | undefined

  constructor(settings: EmbeddedSettings, now: () => number = () => performance.now()) {
    this.settings = settings
    this.now = now
    this.table = new SessionTable(settings, (id) => this.onChanged(id, undefined))
    this.sweeping = startSweeping(this.table, now)
  }

  /** Answers a worker. Other workers get the reports of its changes before it gets the replies. */
  onMessage(client: SessionClient, { batch, hears, commands }: SessionBatch): void {
    const nowMs = this.now()
    const replies = commands.map((command) => (command === undefined ? null : this.answer(client, hears, command, nowMs)))
    this.reportChanges()
    for (const part of partsOf(replies, weightOfReply)) client.send({ switchyard: 'session-replies', batch, replies: part })
  }

  /** The current rows, for another table. `ids`: only those. */
  *rows(ids?: Iterable<string>): Generator<SessionTableEntry> {
    if (ids === undefined) yield* this.table.entries(this.now())
    else for (const id of ids) yield this.table.row(id, this.now())
    yield this.table.versions
  }

  /** Adds a row of another table, and reports the change. */
  restore(row: SessionTableEntry): void {
    this.table.restore(row, this.now())
    if ('id' in row) this.onChanged(row.id, undefined)
    this.reportChanges()
  }

  /** Calls `listener` with the id of every session that changes from now on, its time to live included. Undefined: stops. */
  watchChanges(listener: ((id: string) => void) | undefined): void {
    this.watcher = listener
  }

  /** Removes a worker that has exited. */
  forget(client: SessionClient): void {
    this.readers.remove(client)
  }

  configure(settings: EmbeddedSettings): void {
    this.settings = settings
    this.table.configure(settings)
    this.reportChanges()
  }

  status(): SessionTableStatus {
    const { size: kept, bytes, tombstoneCount: tombstones, evicted, expired, tombstonesDropped } = this.table
    return { kept, bytes, tombstones, evicted, expired, tombstonesDropped }
  }

  close(): void {
    clearInterval(this.sweeping)
  }

  private answer(client: SessionClient, isListening: boolean, command: SessionCommand, nowMs: number): SessionReply {
    const { table } = this
    switch (command[0]) {
      case 'read': {
        const [, id, known] = command
        const found = table.read(id, known ?? undefined, nowMs)
        if (isListening && (found.state === 'kept' || found.state === 'same')) this.addReader(client, id)
        return found
      }
      case 'write': {
        const [, id, text, ttlMs, expected] = command
        if (isLarger(text, this.settings.maxValueBytes)) return null
        const written = table.write(id, text, ttlMs, expected ?? undefined, nowMs)
        if (written.state === 'written') this.onChanged(id, client)
        if (isListening && written.state !== 'ended') this.addReader(client, id)
        return written
      }
      case 'touch':
        this.watcher?.(command[1])
        return table.touch(command[1], command[2], nowMs)
      case 'destroy': {
        const [, id, expected] = command
        const destroyed = table.destroy(id, expected ?? undefined, nowMs)
        if (destroyed !== 'conflict') this.onChanged(id, client)
        return destroyed
      }
      case 'ids':
        return table.ids(command[1], command[2], nowMs)
      case 'clear':
        if (this.watcher !== undefined) table.allIds().forEach(this.watcher)
        table.clear()
        this.unreported.clear()
        for (const other of this.readers.removeAll()) if (other !== client) other.send({ switchyard: 'sessions-changed', ids: undefined })
        return true
    }
  }

  private addReader(client: SessionClient, id: string): void {
    const forgotten = this.readers.record(client, id)
    if (forgotten !== undefined) this.addUnreported(client, forgotten)
  }

  private onChanged(id: string, by: SessionClient | undefined): void {
    this.watcher?.(id)
    for (const client of this.readers.removeReaders(id, by)) this.addUnreported(client, id)
  }

  private addUnreported(client: SessionClient, id: string): void {
    const ids = this.unreported.get(client)
    if (ids === undefined) this.unreported.set(client, [id])
    else ids.push(id)
  }

  private reportChanges(): void {
    if (this.unreported.size === 0) return
    const { unreported } = this
    this.unreported = new Map()
    for (const [client, all] of unreported) for (const ids of partsOf(all, () => 0)) client.send({ switchyard: 'sessions-changed', ids })
  }
}

function weightOfReply(reply: SessionReply): number {
  if (reply === null || typeof reply !== 'object') return 0
  if (!('state' in reply)) return reply.length * MAX_ID_WEIGHT
  const found = reply.state === 'conflict' ? reply.found : reply
  return found.state === 'kept' ? weightOf(found.text) : 0
}
