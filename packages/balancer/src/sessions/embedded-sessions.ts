// The embedded store as the primary sees it: it owns the table, answers the workers, and tells them what others have changed.

import {
  isLarger,
  partsOf,
  type SessionCommand,
  type SessionReply,
  type SessionSettings,
  SessionTable,
  type SessionTableEntry,
  startSweeping,
  type ToPrimary,
  type ToWorker,
  weightOf,
} from '@switchyard/worker-runtime'
import type { SessionTableStatus } from '../status.ts'
import { SessionReaders } from './session-readers.ts'

/** Where a worker hears. */
export interface SessionLine {
  send(message: ToWorker): void
}

export type SessionBatch = Extract<ToPrimary, { switchyard: 'sessions' }>

export type EmbeddedSettings = Pick<SessionSettings, 'maxSessions' | 'maxBytes' | 'maxValueBytes' | 'tombstoneMs'>

/** What one worker is told of, of all that it has read. */
const MAX_READ_IDS = 16_384
const MAX_ID_WEIGHT = 131

export class EmbeddedSessions {
  readonly table: SessionTable
  private settings: EmbeddedSettings
  private readonly now: () => number
  private readonly readers = new SessionReaders<SessionLine>(MAX_READ_IDS)
  private readonly sweeping: NodeJS.Timeout
  /** What the batch that is being answered has changed, and for whom. */
  private changes = new Map<SessionLine, string[]>()
  /** Hears of every id under which something has changed. */
  private watcher: ((id: string) => void) | undefined

  constructor(settings: EmbeddedSettings, now: () => number = () => performance.now()) {
    this.settings = settings
    this.now = now
    this.table = new SessionTable(settings, (id) => this.noteChanged(id, undefined))
    this.sweeping = startSweeping(this.table, now)
  }

  /** Answers a worker. Others hear what it has changed before it hears that it has. */
  onMessage(line: SessionLine, { batch, hears, commands }: SessionBatch): void {
    const nowMs = this.now()
    const replies = commands.map((command) => (command === undefined ? null : this.answer(line, hears, command, nowMs)))
    this.tellChanges()
    for (const part of partsOf(replies, weightOfReply)) line.send({ switchyard: 'session-replies', batch, replies: part })
  }

  /** The rows of the table at this moment, or of some ids, for another table. */
  *rows(ids?: Iterable<string>): Generator<SessionTableEntry> {
    if (ids === undefined) yield* this.table.entries(this.now())
    else for (const id of ids) yield this.table.row(id, this.now())
    yield this.table.versions
  }

  /** A row of another table. Workers that have read the id hear of it. */
  restore(row: SessionTableEntry): void {
    this.table.restore(row, this.now())
    if ('id' in row) this.noteChanged(row.id, undefined)
    this.tellChanges()
  }

  /** `listener` hears from now on of every id under which something changes, its time to live included; undefined: nobody does. */
  watchChanges(listener: ((id: string) => void) | undefined): void {
    this.watcher = listener
  }

  /** The worker is gone. */
  forget(line: SessionLine): void {
    this.readers.forget(line)
  }

  /** Other limits from now on. */
  configure(settings: EmbeddedSettings): void {
    this.settings = settings
    this.table.configure(settings)
    this.tellChanges()
  }

  status(): SessionTableStatus {
    const { size: kept, bytes, tombstoneCount: tombstones, evicted, expired, tombstonesDropped } = this.table
    return { kept, bytes, tombstones, evicted, expired, tombstonesDropped }
  }

  close(): void {
    clearInterval(this.sweeping)
  }

  private answer(line: SessionLine, hears: boolean, command: SessionCommand, nowMs: number): SessionReply {
    const { table } = this
    switch (command[0]) {
      case 'read': {
        const [, id, known] = command
        const found = table.read(id, known ?? undefined, nowMs)
        if (hears && (found.state === 'kept' || found.state === 'same')) this.noteRead(line, id)
        return found
      }
      case 'write': {
        const [, id, text, ttlMs, expected] = command
        if (isLarger(text, this.settings.maxValueBytes)) return null
        const written = table.write(id, text, ttlMs, expected ?? undefined, nowMs)
        if (written.state === 'written') this.noteChanged(id, line)
        if (hears && written.state !== 'ended') this.noteRead(line, id)
        return written
      }
      case 'touch':
        this.watcher?.(command[1])
        return table.touch(command[1], command[2], nowMs)
      case 'destroy': {
        const [, id, expected] = command
        const destroyed = table.destroy(id, expected ?? undefined, nowMs)
        if (destroyed !== 'conflict') this.noteChanged(id, line)
        return destroyed
      }
      case 'ids':
        return table.ids(command[1], command[2], nowMs)
      case 'clear':
        if (this.watcher !== undefined) table.allIds().forEach(this.watcher)
        table.clear()
        this.changes.clear()
        for (const other of this.readers.takeAll()) if (other !== line) other.send({ switchyard: 'sessions-changed', ids: undefined })
        return true
    }
  }

  private noteRead(line: SessionLine, id: string): void {
    const forgotten = this.readers.record(line, id)
    if (forgotten !== undefined) this.noteFor(line, forgotten)
  }

  private noteChanged(id: string, by: SessionLine | undefined): void {
    this.watcher?.(id)
    for (const line of this.readers.changed(id, by)) this.noteFor(line, id)
  }

  private noteFor(line: SessionLine, id: string): void {
    const ids = this.changes.get(line)
    if (ids === undefined) this.changes.set(line, [id])
    else ids.push(id)
  }

  private tellChanges(): void {
    if (this.changes.size === 0) return
    const { changes } = this
    this.changes = new Map()
    for (const [line, all] of changes) for (const ids of partsOf(all, () => 0)) line.send({ switchyard: 'sessions-changed', ids })
  }
}

function weightOfReply(reply: SessionReply): number {
  if (reply === null || typeof reply !== 'object') return 0
  if (!('state' in reply)) return reply.length * MAX_ID_WEIGHT
  const found = reply.state === 'conflict' ? reply.found : reply
  return found.state === 'kept' ? weightOf(found.text) : 0
}
