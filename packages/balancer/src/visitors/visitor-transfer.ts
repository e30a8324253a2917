// What is learned of visitors, as it lives on in a successor.

import type { StateTransfer } from '../upgrade/state-transfer.ts'
import type { VisitorEntry, VisitorTable } from './visitor-table.ts'

/** What both primaries call it by. */
export const VISITORS = 'visitors'

export function visitorTransfer(learned: VisitorTable): StateTransfer {
  return {
    name: VISITORS,
    entries: () => learned.entries(),
    take: (entry) => {
      const { pool, key, slot } = entry as VisitorEntry
      if (typeof pool === 'string' && typeof key === 'string' && typeof slot === 'number') learned.take({ pool, key, slot })
    },
  }
}
