// What a primary has in its memory and its successor has to know too: copied before the successor serves, and told on for as long as this one has workers.

/** One such thing. Both primaries call it by the same name. */
export interface StateTransfer {
  readonly name: string
  /** All that there is, each as an object that JSON can write. */
  entries(): Iterable<object>
  /** As a successor: one of those, or one of what the old primary says later. It may be of another version, so it is looked at. */
  take(entry: unknown, answer: (entry: object) => void): void
  /** As a successor: is it of any use here? Left out: yes. */
  isWanted?(): boolean
  /** As a successor: the old primary is gone. */
  left?(): void
  /** All has been copied, and the successor is about to serve: from now on nothing changes here. Gives what has changed meanwhile. */
  freeze?(): Iterable<object>
  /** The successor serves: from now on it is asked, by `send`. */
  surrender?(send: (entry: object) => void): void
  /** There is no successor after all. */
  resume?(): void
  /** What a successor has to say, since it was sent something. */
  answer?(entry: unknown): void
}

/** Told in one message. */
const PORTION_ENTRIES = 500
/** And not many more characters than this. */
const PORTION_CHARS = 256 * 1024

/** The entries in portions that fit a message. An entry alone may be larger than `PORTION_CHARS`. */
export function* portionsOf(entries: Iterable<object>): Generator<object[]> {
  let portion: object[] = []
  let chars = 0
  for (const entry of entries) {
    const length = JSON.stringify(entry).length
    if (portion.length > 0 && (chars + length > PORTION_CHARS || portion.length >= PORTION_ENTRIES)) {
      yield portion
      portion = []
      chars = 0
    }
    portion.push(entry)
    chars += length
  }
  if (portion.length > 0) yield portion
}
