// The embedded store as a worker sees it: sessions are in the primary's memory, and every command goes there over this worker's line. What comes in one turn
// of the loop goes as one message.

import {
  type Found,
  type SessionStore,
  SessionStoreError,
  type SessionStoreStatus,
  SessionValueError,
  type Written,
} from '@switchyard/sessions'
import type { ToPrimary, ToWorker } from '../protocol.ts'
import { MAX_FRAME_WEIGHT, MAX_IDS, partsOf, type SessionCommand, type SessionReply, weightOf } from './session-messages.ts'

/** This worker's line to the primary. */
export interface PrimaryLine {
  send(message: ToPrimary): void
  onMessage(listener: (message: ToWorker) => void): void
  /** Messages of changes that were sent, those on their way too; undefined: that can't be seen. */
  sentChanges(): number | undefined
}

interface Asked {
  readonly command: SessionCommand
  readonly resolve: (reply: never) => void
  readonly reject: (error: SessionStoreError) => void
}

/** Commands that went together. Their replies may come in parts, in order. */
interface Batch {
  readonly asked: readonly Asked[]
  readonly sentMs: number
  readonly timer: NodeJS.Timeout
  answered: number
}

/** Commands that have no answer yet. */
const MAX_OPEN = 16_384
const MAX_ID = 2 ** 30

export class EmbeddedStore implements SessionStore {
  private readonly line: PrimaryLine
  private readonly commandTimeoutMs: number
  private readonly now: () => number
  private readonly batches = new Map<number, Batch>()
  private waiting: Asked[] = []
  private open = 0
  private lastBatch = 0
  private listener: ((id: string | undefined) => void) | undefined
  private heardChanges = 0
  private isClosed = false
  private commands = 0
  private failed = 0
  private sumMs = 0

  constructor(line: PrimaryLine, commandTimeoutMs: number, now: () => number = () => performance.now()) {
    this.line = line
    this.commandTimeoutMs = commandTimeoutMs
    this.now = now
    line.onMessage((message) => this.hear(message))
  }

  read(id: string, known?: number): Promise<Found> {
    return this.ask(['read', id, known ?? null])
  }

  write(id: string, text: string, ttlMs: number, expected?: number): Promise<Written> {
    if (weightOf(text) > MAX_FRAME_WEIGHT) {
      return Promise.reject(new SessionValueError(`the embedded store takes sessions of ${MAX_FRAME_WEIGHT} characters as JSON at most`))
    }
    return this.ask(['write', id, text, ttlMs, expected ?? null])
  }

  touch(id: string, ttlMs: number): Promise<boolean> {
    return this.ask(['touch', id, ttlMs])
  }

  destroy(id: string, expected?: number): Promise<boolean | 'conflict'> {
    return this.ask(['destroy', id, expected ?? null])
  }

  /** In pages: what others write meanwhile may be there or not. */
  async ids(limit: number): Promise<readonly string[]> {
    const found = new Set<string>()
    for (let skip = 0; found.size < limit; skip += MAX_IDS) {
      const page = await this.ask<readonly string[]>(['ids', Math.min(limit - found.size, MAX_IDS), skip])
      for (const id of page) found.add(id)
      if (page.length < MAX_IDS) break
    }
    return [...found]
  }

  clear(): Promise<void> {
    return this.ask<boolean>(['clear']).then(() => {})
  }

  onChanged(listener: (id: string | undefined) => void): boolean {
    this.listener = listener
    return true
  }

  /** The primary counts a change in memory before it tells of it, and tells of it before whoever has written hears that it is done. */
  hasHeardAll(): boolean {
    const told = this.line.sentChanges()
    return told === undefined || told === this.heardChanges
  }

  status(): SessionStoreStatus {
    return { kind: 'embedded', state: 'up', commands: this.commands, failed: this.failed, sumMs: this.sumMs }
  }

  async close(): Promise<void> {
    this.isClosed = true
    this.giveUp(this.waiting.splice(0), 'the store is closed')
    for (const [id, { timer, asked, answered }] of this.batches) {
      clearTimeout(timer)
      this.batches.delete(id)
      this.giveUp(asked.slice(answered), 'the store is closed')
    }
  }

  private ask<Reply extends SessionReply>(command: SessionCommand): Promise<Reply> {
    this.commands++
    if (this.isClosed || this.open >= MAX_OPEN) {
      this.failed++
      const why = this.isClosed ? 'the store is closed' : `${MAX_OPEN} commands have no answer yet`
      return Promise.reject(new SessionStoreError(why))
    }
    this.open++
    return new Promise<Reply>((resolve, reject) => {
      if (this.waiting.length === 0) setImmediate(() => this.flush())
      this.waiting.push({ command, resolve, reject })
    })
  }

  private flush(): void {
    for (const asked of partsOf(this.waiting.splice(0), weightOfAsked)) {
      this.lastBatch = (this.lastBatch % MAX_ID) + 1
      const id = this.lastBatch
      // The answer may be there already when a loop that was busy looks at its clock: it is read before anything is given up.
      const timer = setTimeout(() => setImmediate(() => this.late(id)), this.commandTimeoutMs)
      this.batches.set(id, { asked, sentMs: this.now(), timer, answered: 0 })
      const commands = asked.map(({ command }) => command)
      this.line.send({ switchyard: 'sessions', batch: id, hears: this.listener !== undefined, commands })
    }
  }

  private hear(message: ToWorker): void {
    if (message.switchyard === 'sessions-changed') {
      this.heardChanges = (this.heardChanges + 1) >>> 0
      if (message.ids === undefined) return this.listener?.(undefined)
      for (const id of message.ids) this.listener?.(id)
    } else if (message.switchyard === 'session-replies') this.answered(message.batch, message.replies)
  }

  private answered(id: number, replies: readonly SessionReply[]): void {
    const batch = this.batches.get(id)
    if (batch === undefined) return
    const { asked, sentMs, timer } = batch
    const answered = asked.slice(batch.answered, batch.answered + replies.length)
    batch.answered += answered.length
    if (batch.answered >= asked.length) {
      clearTimeout(timer)
      this.batches.delete(id)
    }
    this.sumMs += (this.now() - sentMs) * answered.length
    for (const [index, one] of answered.entries()) {
      const reply = replies[index]
      if (reply === null || reply === undefined) this.giveUp([one], 'the primary could make nothing of the command')
      else {
        this.open--
        one.resolve(reply as never)
      }
    }
  }

  private late(id: number): void {
    const batch = this.batches.get(id)
    if (batch === undefined) return
    this.batches.delete(id)
    const left = batch.asked.slice(batch.answered)
    this.sumMs += (this.now() - batch.sentMs) * left.length
    this.giveUp(left, `the primary has not answered within ${this.commandTimeoutMs} ms`)
  }

  private giveUp(asked: readonly Asked[], why: string): void {
    this.open -= asked.length
    this.failed += asked.length
    for (const { reject } of asked) reject(new SessionStoreError(why))
  }
}

function weightOfAsked({ command }: Asked): number {
  return command[0] === 'write' ? weightOf(command[2]) : 0
}
