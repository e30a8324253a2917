// A cache of the sessions that this process has read or written. An entry is fresh until another process changes the session, or `maxAgeMs`
// is over. A stale entry is still of use: its version saves sending the text again, and `read-cached` falls back on it in an outage.

/** A session as it was read. */
export interface NearSession {
  readonly version: number
  readonly text: string
  /** When it expires, unless it is touched again. */
  readonly expiresMs: number
}

interface Entry extends NearSession {
  /** When the store was asked for it. */
  readonly askedMs: number
  readonly epoch: number
}

/** A command that the store has not answered. */
export interface PendingCommand {
  readonly id: string
  readonly askedMs: number
  /** The session changed meanwhile: the answer may be older than the change, and is not cached. */
  isOutdated: boolean
}

export interface NearCacheLimits {
  readonly maxEntries: number
  readonly maxAgeMs: number
}

/** Total length of all texts. */
const MAX_CHARS = 2 ** 25

export class NearCache {
  /** Are changes of other processes reported? If not, no entry is fresh. */
  isListening = false
  hits = 0
  misses = 0
  private readonly limits: NearCacheLimits
  /** Least recently used first. */
  private readonly entries = new Map<string, Entry>()
  private readonly pending = new Map<string, Set<PendingCommand>>()
  /** Entries of an earlier epoch are stale. */
  private epoch = 0
  private chars = 0

  constructor(limits: NearCacheLimits) {
    this.limits = limits
  }

  get size(): number {
    return this.entries.size
  }

  /** An entry that may be used without asking the store. Counts as a hit or a miss. */
  fresh(id: string, nowMs: number): NearSession | undefined {
    const entry = this.entries.get(id)
    const { maxAgeMs } = this.limits
    const isFresh =
      entry !== undefined && this.isListening && entry.epoch === this.epoch && nowMs - entry.askedMs < maxAgeMs && entry.expiresMs > nowMs
    if (!isFresh) {
      this.misses++
      return undefined
    }
    this.hits++
    this.entries.delete(id)
    this.entries.set(id, entry)
    return entry
  }

  /** An entry that may be stale, but has not expired. */
  latest(id: string, nowMs: number): NearSession | undefined {
    const entry = this.entries.get(id)
    return entry === undefined || entry.expiresMs > nowMs ? entry : undefined
  }

  /** A command is sent. One of the `on…` methods has to follow. */
  begin(id: string, nowMs: number): PendingCommand {
    const command = { id, askedMs: nowMs, isOutdated: false }
    const others = this.pending.get(id)
    if (others === undefined) this.pending.set(id, new Set([command]))
    else others.add(command)
    return command
  }

  /** A read is answered. `found` undefined: there is no session. */
  onRead(command: PendingCommand, found: NearSession | undefined): void {
    this.end(command)
    if (found !== undefined && !command.isOutdated) this.store(command, found)
    else if (found === undefined && !command.isOutdated) this.remove(command.id)
  }

  /** A write is answered. `found`: the current session; undefined: none, or unknown. */
  onWritten(command: PendingCommand, found: NearSession | undefined): void {
    this.end(command)
    this.invalidate(command.id)
    if (found !== undefined && !command.isOutdated) this.store(command, found)
  }

  onTouched(command: PendingCommand, expiresMs: number): void {
    this.end(command)
    const entry = this.entries.get(command.id)
    if (entry !== undefined) this.entries.set(command.id, { ...entry, expiresMs })
  }

  /** A read or a touch has failed. */
  onFailed(command: PendingCommand): void {
    this.end(command)
  }

  /** The session has changed. */
  invalidate(id: string): void {
    for (const command of this.pending.get(id) ?? []) command.isOutdated = true
    this.remove(id)
  }

  /** Any session may have changed: all entries become stale. */
  invalidateAll(): void {
    this.epoch++
    for (const commands of this.pending.values()) for (const command of commands) command.isOutdated = true
  }

  clear(): void {
    this.invalidateAll()
    this.entries.clear()
    this.chars = 0
  }

  private store({ id, askedMs }: PendingCommand, { version, text, expiresMs }: NearSession): void {
    this.remove(id)
    this.entries.set(id, { version, text, expiresMs, askedMs, epoch: this.epoch })
    this.chars += text.length
    for (const oldest of this.entries.keys()) {
      if (this.entries.size <= this.limits.maxEntries && this.chars <= MAX_CHARS) return
      this.remove(oldest)
    }
  }

  private remove(id: string): void {
    const entry = this.entries.get(id)
    if (entry === undefined) return
    this.chars -= entry.text.length
    this.entries.delete(id)
  }

  private end(command: PendingCommand): void {
    const commands = this.pending.get(command.id)
    commands?.delete(command)
    if (commands?.size === 0) this.pending.delete(command.id)
  }
}
