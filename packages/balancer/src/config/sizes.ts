// Sizes as people write them: 536870912, '512M', '1.5G'.

const units = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 } as const

/** Whole bytes of a size; undefined when it is none. K, M, G and T are powers of 1024, as Node counts memory. */
export function bytesOf(size: unknown): number | undefined {
  if (typeof size === 'number') return Number.isSafeInteger(size) && size > 0 ? size : undefined
  const [, digits, unit] = (typeof size === 'string' && /^(\d+(?:\.\d+)?) ?([KMGT])(?:i?B)?$/i.exec(size)) || []
  if (digits === undefined || unit === undefined) return undefined
  const bytes = Math.round(Number(digits) * units[unit.toUpperCase() as keyof typeof units])
  return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : undefined
}
