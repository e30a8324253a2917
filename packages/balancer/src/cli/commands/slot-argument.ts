// A seat or pool as it is written on the command line.

/** `web/0`, or `0` in the first pool; undefined: it is neither. */
export function parseSlot(text: string): { pool: string | undefined; slot: number } | undefined {
  const [, pool, slot] = /^(?:([A-Za-z][\w-]{0,62})\/)?(\d{1,5})$/.exec(text) ?? []
  return slot === undefined ? undefined : { pool, slot: Number(slot) }
}

/** `web` or `web/0`; undefined: it is neither. */
export function parsePoolOrSlot(text: string): { pool: string; slot: number | undefined } | undefined {
  const [, pool, slot] = /^([A-Za-z][\w-]{0,62})(?:\/(\d{1,5}))?$/.exec(text) ?? []
  return pool === undefined ? undefined : { pool, slot: slot === undefined ? undefined : Number(slot) }
}

/** `6`, `+2` or `-1`; undefined: it is none of these. */
export function parseScale(text: string): { to: number } | { by: number } | undefined {
  if (!/^[+-]?\d{1,5}$/.test(text)) return undefined
  const count = Number(text)
  if (count === 0) return undefined
  return /^[+-]/.test(text) ? { by: count } : { to: count }
}
