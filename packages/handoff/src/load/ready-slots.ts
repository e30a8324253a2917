// Which seats of a pool have a ready worker, as every worker of the pool sees it: words of the memory that it shares with the primary. The
// primary writes them before it acts on a change, so nobody ever asks by an old list.

/** Behind the worker's own row: a cache line that the primary alone writes. */
const FIRST = 16
const BITMAP_WORDS = 12
const VERSION = 31
const BITS = 32

/** Seats of a higher number are not told of. */
export const MAX_TOLD_SEATS = BITMAP_WORDS * BITS

/** Tells one worker which slots of its pool have a ready worker. */
export function writeReadySlots(words: Int32Array, slots: readonly number[]): void {
  const bitmap = new Int32Array(BITMAP_WORDS)
  for (const slot of slots) {
    if (slot < MAX_TOLD_SEATS) bitmap[(slot / BITS) | 0] = (bitmap[(slot / BITS) | 0] as number) | (1 << (slot % BITS))
  }
  words.set(bitmap, FIRST)
  Atomics.add(words, VERSION, 1)
}

/** A seat as policies know it. */
export interface ReadySlot {
  readonly slot: number
  readonly weight: number
}

/** Reads what the primary tells; the list is made anew only when something has changed. */
export class ReadySlots {
  private readonly words: Int32Array
  private readonly weights: readonly number[]
  private version = -1
  private workerSlots: readonly ReadySlot[] = []

  /** `weights`: by slot; a slot beyond the list has 1. */
  constructor(words: Int32Array, weights: readonly number[]) {
    this.words = words
    this.weights = weights
  }

  get list(): readonly ReadySlot[] {
    const version = Atomics.load(this.words, VERSION)
    if (version !== this.version) {
      this.version = version
      this.workerSlots = this.read()
    }
    return this.workerSlots
  }

  private read(): ReadySlot[] {
    const workerSlots: ReadySlot[] = []
    for (let slot = 0; slot < MAX_TOLD_SEATS; slot++) {
      if (((this.words[FIRST + ((slot / BITS) | 0)] as number) >>> (slot % BITS)) & 1)
        workerSlots.push({ slot, weight: this.weights[slot] ?? 1 })
    }
    return workerSlots
  }
}
