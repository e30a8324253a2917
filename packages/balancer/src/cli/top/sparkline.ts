// Draws a series of numbers as one line of characters.

const BLOCKS = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'] as const
/** For terminals without UTF-8. */
const ASCII = ['_', '.', '-', '=', '+', '*', '%', '#'] as const

export interface SparklineOptions {
  readonly width: number
  /** The value of the highest character. Left out: the largest of the series. */
  readonly top?: number | undefined
  readonly isUtf8: boolean
}

/** The newest values, the last at the right end. `undefined` in the series is a gap. */
export function sparkline(series: readonly (number | undefined)[], { width, top, isUtf8 }: SparklineOptions): string {
  if (width <= 0) return ''
  const shown = series.slice(-width)
  const most = top ?? Math.max(0, ...shown.map((value) => value ?? 0))
  const signs = isUtf8 ? BLOCKS : ASCII
  const text = shown.map((value) => (value === undefined ? ' ' : signAt(signs, most > 0 ? value / most : 0))).join('')
  return text.padStart(width)
}

function signAt(signs: readonly string[], part: number): string {
  return signs[Math.max(0, Math.min(signs.length - 1, Math.ceil(part * signs.length) - 1))] as string
}

/** Does the terminal show UTF-8, by the variables of the locale? */
export function isUtf8({ LC_ALL, LC_CTYPE, LANG }: NodeJS.ProcessEnv): boolean {
  return /utf-?8/i.test(LC_ALL || LC_CTYPE || LANG || '')
}
