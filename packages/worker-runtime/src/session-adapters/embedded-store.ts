// The worker's side of the embedded store: sessions are in the memory of the primary, and commands go there as messages.
// The commands of one turn of the event loop go as one message.

import {
  type Found,
  type SessionStore,
  SessionStoreError,
  type SessionStoreStatus,
  SessionValueError,
  type Written,
} from '@switchyard/sessions'
import type { ToPrimary, ToWorker } from '../protocol.ts'
import { MAX_FRAME_WEIGHT, MAX_IDS, partsOf, type SessionCommand, type SessionReply, weightOf } from '../session-messages.ts'

/** The messages between this worker and the primary. */
export interface PrimaryLink {
  send(message: ToPrimary): void
  onMessage(listener: (message: ToWorker) => void): void
  /** The number of `sessions-changed` messages that the primary has sent, including those not received yet. Undefined: unknown. */
  sentChanges(): number | undefined
}

interface QueuedCommand {
  readonly command: SessionCommand
  readonly resolve: (reply: never) => void
  readonly reject: (error: SessionStoreError) => void
}

/** Commands of one message. Their replies come in order, in one or more messages. */
interface Batch {
  readonly commands: readonly QueuedCommand[]
  readonly sentMs: number
  readonly timer: NodeJS.Timeout
  answered: number
}

/** Commands without a reply. */
const MAX_OPEN = 16_384
const MAX_ID = 2 ** 30

export class EmbeddedStore implements SessionStore {
  private readonly link: PrimaryLink
  private readonly commandTimeoutMs: number
  private readonly now: () => number
  private readonly batches = new Map<number, Batch>()
  private waiting: QueuedCommand[] = []
  private open = 0
  private lastBatch = 0
  private listener: ((id: string | undefined) => void) | undefined
  private receivedChanges = 0
  private isClosed = false
  private commands = 0
  private failed = 0
  private sumMs = 0

  constructor(link: PrimaryLink, commandTimeoutMs: number, now: () => number = () => performance.now()) {
    this.link = link
    this.commandTimeoutMs = commandTimeoutMs
    this.now = now
    link.onMessage((message) => this.onMessage(message))
  }

  read(id: string, known?: number): Promise<Found> {
    return this.send(['read', id, known ?? null])
  }

  write(id: string, text: string, ttlMs: number, expected?: number): Promise<Written> {
    if (weightOf(text) > MAX_FRAME_WEIGHT) {
      return Promise.reject(
        new SessionValueError(`the session is too large for the embedded store: at most ${MAX_FRAME_WEIGHT} characters as JSON`),
      )
    }
    return this.send(['write', id, text, ttlMs, expected ?? null])
  }

  touch(id: string, ttlMs: number): Promise<boolean> {
    return this.send(['touch', id, ttlMs])
  }

  destroy(id: string, expected?: number): Promise<boolean | 'conflict'> {
    return this.send(['destroy', id, expected ?? null])
  }

  /** Reads pages: ids that are added or removed meanwhile may be missing or included. */
  async ids(limit: number): Promise<readonly string[]> {
    const found = new Set<string>()
    for (let skip = 0; found.size < limit; skip += MAX_IDS) {
      const page = await this.send<readonly string[]>(['ids', Math.min(limit - found.size, MAX_IDS), skip])
      for (const id of page) found.add(id)
      if (page.length < MAX_IDS) break
    }
    return [...found]
  }

  clear(): Promise<void> {
    return this.send<boolean>(['clear']).then(() => {})
  }

  onChanged(listener: (id: string | undefined) => void): boolean {
    this.listener = listener
    return true
  }

  /** The primary counts a change in shared memory before it sends the message, and sends that message before it replies to the writer. */
  hasHeardAll(): boolean {
    const sent = this.link.sentChanges()
    return sent === undefined || sent === this.receivedChanges
  }

  status(): SessionStoreStatus {
    return { kind: 'embedded', state: 'up', commands: this.commands, failed: this.failed, sumMs: this.sumMs }
  }

  async close(): Promise<void> {
    this.isClosed = true
    this.rejectAll(this.waiting.splice(0), 'the store is closed')
    for (const [id, { timer, commands, answered }] of this.batches) {
      clearTimeout(timer)
      this.batches.delete(id)
      this.rejectAll(commands.slice(answered), 'the store is closed')
    }
  }

  private send<Reply extends SessionReply>(command: SessionCommand): Promise<Reply> {
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
    for (const commands of partsOf(this.waiting.splice(0), weightOfCommand)) {
      this.lastBatch = (this.lastBatch % MAX_ID) + 1
      const id = this.lastBatch
      // If this process was busy, the reply may have arrived already: it is read before the batch is given up.
      const timer = setTimeout(() => setImmediate(() => this.onTimeout(id)), this.commandTimeoutMs)
      this.batches.set(id, { commands, sentMs: this.now(), timer, answered: 0 })
      const hears = this.listener !== undefined
      this.link.send({ switchyard: 'sessions', batch: id, hears, commands: commands.map(({ command }) => command) })
    }
  }

  private onMessage(message: ToWorker): void {
    if (message.switchyard === 'sessions-changed') {
      this.receivedChanges = (this.receivedChanges + 1) >>> 0
      if (message.ids === undefined) return this.listener?.(undefined)
      for (const id of message.ids) this.listener?.(id)
    } else if (message.switchyard === 'session-replies') this.onReplies(message.batch, message.replies)
  }

  private onReplies(id: number, replies: readonly SessionReply[]): void {
    const batch = this.batches.get(id)
    if (batch === undefined) return
    const { commands, sentMs, timer } = batch
    const answered = commands.slice(batch.answered, batch.answered + replies.length)
    batch.answered += answered.length
    if (batch.answered >= commands.length) {
      clearTimeout(timer)
      this.batches.delete(id)
    }
    this.sumMs += (this.now() - sentMs) * answered.length
    for (const [index, command] of answered.entries()) {
      const reply = replies[index]
      if (reply === null || reply === undefined) this.rejectAll([command], 'the primary rejected the command as invalid')
      else {
        this.open--
        command.resolve(reply as never)
      }
    }
  }

  private onTimeout(id: number): void {
    const batch = this.batches.get(id)
    if (batch === undefined) return
    this.batches.delete(id)
    const unanswered = batch.commands.slice(batch.answered)
    this.sumMs += (this.now() - batch.sentMs) * unanswered.length
    this.rejectAll(unanswered, `the primary did not answer within ${this.commandTimeoutMs} ms`)
  }

  private rejectAll(commands: readonly QueuedCommand[], why: string): void {
    this.open -= commands.length
    this.failed += commands.length
    for (const { reject } of commands) reject(new SessionStoreError(why))
  }
}

function weightOfCommand({ command }: QueuedCommand): number {
  return command[0] === 'write' ? weightOf(command[2]) : 0
}
