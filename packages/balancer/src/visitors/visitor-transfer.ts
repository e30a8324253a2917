// What is learned of visitors, as it lives on in a successor.

import type { Heirloom } from '../upgrade/state-transfer.ts'
import type { Learned, LearnedEntry } from './visitor-table.ts'

/** What both primaries call it by. */
export const VISITORS = 'visitors'

export function learnedHeirloom(learned: Learned): Heirloom {
  return {
    name: VISITORS,
    entries: () => learned.entries(),
    take: (entry) => {
      const { pool, key, slot } = entry as LearnedEntry
      if (typeof pool === 'string' && typeof key === 'string' && typeof slot === 'number') learned.take({ pool, key, slot })
    },
  }
}
