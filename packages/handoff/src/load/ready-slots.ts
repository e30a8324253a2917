// Which slots of a pool have a ready worker, as a bitmap in the row that the primary shares with each worker of the pool. The primary
// writes it before it acts on a change, so a worker never decides by an old list.

import { primaryWords, READY_WORDS } from './shared-page.ts'

const BITS = 32

/** Slots from this number on are not shared. */
export const MAX_SHARED_SLOTS = READY_WORDS * BITS

/** Tells one worker which slots of its pool have a ready worker. */
export function writeReadySlots(words: Int32Array, slots: readonly number[]): void {
  const bitmap = new Int32Array(READY_WORDS)
  for (const slot of slots) {
    if (slot < MAX_SHARED_SLOTS) bitmap[(slot / BITS) | 0] = (bitmap[(slot / BITS) | 0] as number) | (1 << (slot % BITS))
  }
  words.set(bitmap, primaryWords.readySlots)
  Atomics.add(words, primaryWords.readyVersion, 1)
}

/** A slot as policies know it. */
export interface ReadySlot {
  readonly slot: number
  readonly weight: number
}

/** The worker's view of the bitmap. A new list is made only after a change. */
export class ReadySlots {
  private readonly words: Int32Array
  private readonly weights: readonly number[]
  private version = -1
  private slots: readonly ReadySlot[] = []

  /** `weights`: by slot; a slot beyond the list has 1. */
  constructor(words: Int32Array, weights: readonly number[]) {
    this.words = words
    this.weights = weights
  }

  get list(): readonly ReadySlot[] {
    const version = Atomics.load(this.words, primaryWords.readyVersion)
    if (version !== this.version) {
      this.version = version
      this.slots = this.read()
    }
    return this.slots
  }

  private read(): ReadySlot[] {
    const slots: ReadySlot[] = []
    for (let slot = 0; slot < MAX_SHARED_SLOTS; slot++) {
      if (((this.words[primaryWords.readySlots + ((slot / BITS) | 0)] as number) >>> (slot % BITS)) & 1)
        slots.push({ slot, weight: this.weights[slot] ?? 1 })
    }
    return slots
  }
}
