// Ties are broken in turn, or else an idle pool would send everything to its first worker.

/** Does `slot` come before `other` in the circle of slots that starts after `last`, the one chosen before? */
export function comesBefore(slot: number, other: number, last: number): boolean {
  return slot > last === other > last ? slot < other : slot > last
}
