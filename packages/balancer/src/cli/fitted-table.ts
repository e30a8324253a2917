// Fits tables and text into the width of a terminal: less important columns are left out, and the last column is cut.

import { table } from './format.ts'

const GAP = 2
/** The last column is not cut below this width; rather another column is left out. */
const LEAST_LAST = 12

export interface FittedTableOptions {
  /** Columns of the terminal; undefined: unlimited. */
  readonly width: number | undefined
  /** The headings of columns that may be left out, the least important first. */
  readonly dispensable: readonly string[]
}

/** As `table`, within the width. The first row has the headings. A column without a heading comes last and may be cut. */
export function fittedTable(rows: readonly (readonly string[])[], { width, dispensable }: FittedTableOptions): string {
  const heads = rows[0] ?? []
  let columns = heads.map((_, column) => column)
  if (width === undefined) return table(rows)
  const widthOf = (column: number): number => Math.max(...rows.map((row) => (row[column] ?? '').length))
  const lastOf = (): number | undefined => (heads[columns.at(-1) as number] === '' ? columns.at(-1) : undefined)
  const needed = (): number =>
    columns.reduce((sum, column) => sum + (column === lastOf() ? Math.min(widthOf(column), LEAST_LAST) : widthOf(column)) + GAP, -GAP)
  for (const name of dispensable) {
    if (needed() <= width) break
    columns = columns.filter((column) => heads[column] !== name)
  }
  const kept = rows.map((row) => columns.map((column) => row[column] ?? ''))
  return table(kept)
    .split('\n')
    .map((line) => cut(line, width))
    .join('\n')
}

/** Text of at most this many characters; a longer one ends with `…`. */
export function cut(text: string, width: number): string {
  if (text.length <= width) return text
  return width <= 1 ? '…'.slice(0, width) : `${text.slice(0, width - 1)}…`
}

/** Breaks text between words. Further lines are indented. A longer word stays whole. `width` undefined: one line. */
export function wrapped(text: string, width: number | undefined, indent = ''): string {
  if (width === undefined) return text
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    const next = line === '' ? word : `${line} ${word}`
    if (next.length <= width || line.trim() === '') line = next
    else {
      lines.push(line)
      line = `${indent}${word}`
    }
  }
  return [...lines, line].join('\n')
}
