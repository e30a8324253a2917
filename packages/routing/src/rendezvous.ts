// Rendezvous hashing: each key ranks all slots and belongs to the highest one present. When a slot is gone, only its own keys move, and they
// return with its replacement. Thaler and Ravishankar, "Using name-based mappings to increase hit rates" (1998); weights by the logarithmic
// method of Schindelhauer and Schomaker (2005). The hash is FNV-1a in two lanes with Murmur3's finaliser: fast and even, not cryptographic.
// The seed makes it harder, not impossible, to aim keys at one slot; the bound on a worker's load protects the slot.

/** A key's hash, two lanes of 32 bits. */
export interface KeyHash {
  readonly low: number
  readonly high: number
}

/** Hashes a key under a seed. */
export function hashKey(key: string, seed: string): KeyHash {
  let low = 0x811c9dc5
  let high = 0x9e3779b9
  for (const text of [seed, '\0', key]) {
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index)
      low = Math.imul(low ^ code, 0x01000193)
      high = Math.imul(high ^ code, 0x85ebca6b)
      high ^= high >>> 13
    }
  }
  return { low: mix(low), high: mix(high) }
}

/** Ranks a slot for a key, from 0 to infinity; the highest wins. The share of keys of a slot is in proportion to `weight`. */
export function affinity(key: KeyHash, slot: number, weight: number): number {
  const low = mix(key.low ^ mix(slot + 0x7f4a7c15))
  const high = mix(key.high ^ low ^ Math.imul(slot + 1, 0x9e3779b1))
  // 53 bits, never 0 and never 1.
  const share = ((high >>> 0) * 0x200000 + (low >>> 11) + 0.5) / 0x20000000000000
  return -(weight > 0 ? weight : Number.MIN_VALUE) / Math.log(share)
}

/** The slot a key maps to, among those that `allowed` accepts; of two entries with one slot the newer generation. `undefined` if there is none. */
export function rendezvous<
  S extends { readonly slot: number; readonly weight: number; readonly seatWeight?: number; readonly generation?: number },
>(key: KeyHash, slots: readonly S[], allowed?: (entry: S) => boolean): S | undefined {
  let best: S | undefined
  let most = -1
  for (const entry of slots) {
    if (allowed !== undefined && !allowed(entry)) continue
    const rank = affinity(key, entry.slot, entry.seatWeight ?? entry.weight)
    if (rank > most || (rank === most && best !== undefined && isBefore(entry, best))) {
      best = entry
      most = rank
    }
  }
  return best
}

function isBefore(
  entry: { readonly slot: number; readonly generation?: number },
  other: { readonly slot: number; readonly generation?: number },
): boolean {
  return entry.slot === other.slot ? (entry.generation ?? 0) > (other.generation ?? 0) : entry.slot < other.slot
}

/** Murmur3's 32-bit finaliser (Appleby). */
function mix(value: number): number {
  let mixed = value
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return mixed ^ (mixed >>> 16)
}
