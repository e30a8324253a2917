// Writes a duration for people.

const UNITS: readonly (readonly [ms: number, name: string])[] = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
  [1_000, 's'],
]

/** The two largest units: `3 d 4 h`, `1 min 5 s`, `12 s`, `250 ms`. */
export function duration(ms: number): string {
  if (!Number.isFinite(ms)) return 'no limit'
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`
  const first = UNITS.findIndex(([unit]) => ms >= unit)
  const [unit, name] = UNITS[first] as (typeof UNITS)[number]
  const next = UNITS[first + 1]
  const rest = next === undefined ? 0 : Math.floor((ms % unit) / next[0])
  return `${Math.floor(ms / unit)} ${name}${next === undefined || rest === 0 ? '' : ` ${rest} ${next[1]}`}`
}
