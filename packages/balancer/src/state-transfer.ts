// State in a primary's memory that the new primary needs: copied before the new primary serves, and updated while the old primary has workers.

/** One kind of state. Both primaries know it by the same name. */
export interface StateTransfer {
  readonly name: string

  // ---- In the old primary ----

  /** All entries, as objects that JSON can write. */
  entries(): Iterable<object>
  /** The copy is sent and the new primary is about to serve: from now on the state must not change. Returns what has changed during the copy. */
  freeze?(): Iterable<object>
  /** The new primary owns the state from now on. `send`: passes commands of this primary's workers to it. */
  onNewPrimaryServes?(send: (entry: object) => void): void
  /** The new primary answers a command. */
  onAnswer?(entry: unknown): void
  /** The upgrade has failed: this primary keeps the state. */
  resume?(): void

  // ---- In the new primary ----

  /** Should the old primary send it? Left out: yes. */
  isWanted?(): boolean
  /** An entry of the copy, a later change or a command. Check it: the old primary may be of another version. */
  receive(entry: unknown, answer: (entry: object) => void): void
  /** The old primary has exited. */
  onOldPrimaryGone?(): void
}

/** Entries in one message. */
const BATCH_ENTRIES = 500
/** Characters in one message, about. */
const BATCH_CHARS = 256 * 1024

/** The entries in batches that fit a message. A single entry may be longer than BATCH_CHARS. */
export function* batchesOf(entries: Iterable<object>): Generator<object[]> {
  let batch: object[] = []
  let chars = 0
  for (const entry of entries) {
    const length = JSON.stringify(entry).length
    if (batch.length > 0 && (chars + length > BATCH_CHARS || batch.length >= BATCH_ENTRIES)) {
      yield batch
      batch = []
      chars = 0
    }
    batch.push(entry)
    chars += length
  }
  if (batch.length > 0) yield batch
}
