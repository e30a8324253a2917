// Time and memory as people read them.

const units: readonly (readonly [ms: number, name: string])[] = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
  [1_000, 's'],
]

/** The two largest units that matter: `3 d 4 h`, `1 min 5 s`, `12 s`, `250 ms`. */
export function duration(ms: number): string {
  if (!Number.isFinite(ms)) return 'no end'
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`
  const first = units.findIndex(([unit]) => ms >= unit)
  const [unit, name] = units[first] as (typeof units)[number]
  const next = units[first + 1]
  const rest = next === undefined ? 0 : Math.floor((ms % unit) / next[0])
  return `${Math.floor(ms / unit)} ${name}${next === undefined || rest === 0 ? '' : ` ${rest} ${next[1]}`}`
}

/** `0 MiB`, `81 MiB`, `1.4 GiB`. */
export function memory(bytes: number): string {
  const mebibytes = bytes / 1024 ** 2
  return mebibytes < 1024 ? `${Math.round(mebibytes)} MiB` : `${(mebibytes / 1024).toFixed(1)} GiB`
}
